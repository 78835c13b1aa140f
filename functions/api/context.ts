// What the resource handlers get: the request as the route table types it, and their ports.
import type {
  RouteBody,
  RouteName,
  RouteParams,
  RouteQuery,
  RouteResponse,
} from '../../shared/api/routes.ts';
import type { IdentityMode } from '../../shared/domain/agent/identity.ts';
import type { Clock, IdSource } from '../../shared/lib/ports.ts';
import type { StoreOf, StoreUser } from '../../shared/store/rights.ts';
import type { ConfigCache } from '../launch.ts';
import type { Log } from '../ports.ts';
import type { Admission } from './admission.ts';

/** What handlers need; `U` is the function they run in, which says what of the store there is. */
export interface DepsOf<U extends StoreUser> {
  readonly store: StoreOf<U>;
  readonly configs: ConfigCache;
  /** Says no to more work than the installation is to hold. */
  readonly admission: Admission;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly log: Log;
  readonly cluster: string;
  /** How the identity behind an agent is checked. */
  readonly identity: IdentityMode;
  /** Agents not heard for so long are shown as silent; 60 s if absent. */
  readonly silentAfterMs?: number;
  /** Of the software. */
  readonly version: string;
}

/** Of every handler of the API. */
export type ApiDeps = DepsOf<'api'>;
/** Of the handlers that change jobs and updates: commands of other services run them too. */
export type ChangeDeps = DepsOf<'api'> | DepsOf<'commands'>;

/** One request, validated by the schemas of its route. */
export interface ApiRequest<N extends RouteName> {
  readonly params: RouteParams<N>;
  readonly query: RouteQuery<N>;
  readonly body: RouteBody<N>;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The authenticated principal, or `UNSECURE` where the API has no authentication. */
  readonly user: string;
  /** Unique id of that principal; undefined where the API has no authentication. */
  readonly principal: string | undefined;
}

export type ResourceHandler<N extends RouteName, D = ApiDeps> = (
  request: ApiRequest<N>,
  deps: D,
) => Promise<RouteResponse<N>>;

/** One handler per route: a route without one does not compile. */
export type ResourceHandlers = { readonly [N in RouteName]: ResourceHandler<N> };
