// Finds the route of a request the way an HTTP API does: method and path segments, a literal segment before a variable
// one, the default route when nothing else fits. Pure.
import type { RoutePlan } from '../template/plan.ts';

export interface RouteMatch {
  readonly route: RoutePlan;
  /** Decoded. */
  readonly pathParameters: Readonly<Record<string, string>>;
}

/** `badPath`: a percent sequence in the path is not UTF-8. */
type RouteAnswer = RouteMatch | 'badPath' | undefined;

/** Looks up a method and a raw path (without query). */
export type Router = (method: string, rawPath: string) => RouteAnswer;

interface Node {
  readonly literal: Map<string, Node>;
  variable?: { readonly name: string; readonly node: Node };
  readonly methods: Map<string, RoutePlan>;
}

/** A router over the routes of the app. */
export function routerFor(routes: readonly RoutePlan[]): Router {
  const root = emptyNode();
  const fallback = routes.find(({ routeKey }) => routeKey === '$default');
  for (const route of routes) if (route !== fallback) add(root, route);
  return (method, rawPath) => {
    const values: string[] = [];
    const found = find(root, segmentsOf(rawPath), 0, values, method);
    if (!found) return fallback && { route: fallback, pathParameters: {} };
    const names = segmentsOf(found.path).filter(isVariable).map(nameOf);
    try {
      const pathParameters = Object.fromEntries(
        names.map((name, index) => [name, decodeURIComponent(values[index] ?? '')]),
      );
      return { route: found, pathParameters };
    } catch {
      return 'badPath';
    }
  };
}

function emptyNode(): Node {
  return { literal: new Map(), methods: new Map() };
}

function segmentsOf(path: string): string[] {
  return path.split('/').slice(1);
}

function isVariable(segment: string): boolean {
  return segment.startsWith('{') && segment.endsWith('}');
}

function nameOf(segment: string): string {
  return segment.slice(1, -1);
}

function add(root: Node, route: RoutePlan): void {
  let node = root;
  for (const segment of segmentsOf(route.path)) {
    if (isVariable(segment)) {
      node.variable ??= { name: nameOf(segment), node: emptyNode() };
      node = node.variable.node;
      continue;
    }
    const next = node.literal.get(segment) ?? emptyNode();
    node.literal.set(segment, next);
    node = next;
  }
  node.methods.set(route.method, route);
}

function find(
  node: Node,
  segments: readonly string[],
  depth: number,
  values: string[],
  method: string,
): RoutePlan | undefined {
  if (depth === segments.length) return node.methods.get(method) ?? node.methods.get('ANY');
  const segment = segments[depth] ?? '';
  const literal = node.literal.get(segment);
  const exact = literal && find(literal, segments, depth + 1, values, method);
  if (exact || !node.variable || segment === '') return exact;
  values.push(segment);
  const through = find(node.variable.node, segments, depth + 1, values, method);
  if (!through) values.pop();
  return through;
}
