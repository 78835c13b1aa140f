import { describe, expect, it } from 'vitest';
import { routerFor } from '../../../local/host/routes.ts';
import type { RoutePlan } from '../../../local/template/plan.ts';
import { routes } from '../../../shared/api/routes.ts';

const plans: RoutePlan[] = Object.values(routes).map(({ method, path }) => ({
  routeKey: `${method} ${path}`,
  method,
  path,
  functionArn: 'api',
  authorization: 'AWS_IAM',
}));
const router = routerFor(plans);

describe('the router', () => {
  it.each<[string, string, string, Record<string, string>]>([
    ['GET', '/jobs', 'GET /jobs', {}],
    ['GET', '/jobs/www', 'GET /jobs/{role}', { role: 'www' }],
    ['GET', '/jobs/www/prod', 'GET /jobs/{role}/{environment}', { role: 'www', environment: 'prod' }],
    [
      'GET',
      '/jobs/www/prod/hello',
      'GET /jobs/{role}/{environment}/{name}',
      { role: 'www', environment: 'prod', name: 'hello' },
    ],
    [
      'POST',
      '/jobs/www/prod/hello',
      'POST /jobs/{role}/{environment}/{name}',
      { role: 'www', environment: 'prod', name: 'hello' },
    ],
    [
      'POST',
      '/jobs/www/prod/kill/kill',
      'POST /jobs/{role}/{environment}/{name}/kill',
      { role: 'www', environment: 'prod', name: 'kill' },
    ],
    ['GET', '/jobs/a%2Fb', 'GET /jobs/{role}', { role: 'a/b' }],
    ['GET', '/jobs/caf%C3%A9', 'GET /jobs/{role}', { role: 'café' }],
  ])('%s %s', (method, path, routeKey, pathParameters) => {
    expect(router(method, path)).toMatchObject({ route: { routeKey }, pathParameters });
  });

  it.each([
    ['GET', '/'],
    ['GET', '/jobs/'],
    ['GET', '//jobs'],
    ['GET', '/jobs//prod/hello'],
    ['GET', '/jobs/www/prod/hello/kill'],
    ['DELETE', '/jobs/www/prod/hello'],
    ['GET', '/jobs/www/prod/hello/why/now'],
    ['GET', '/__proto__'],
    ['GET', '/constructor'],
  ])('%s %s leads nowhere', (method, path) => {
    expect(router(method, path)).toBeUndefined();
  });

  it('tells a path that is not UTF-8 from one it does not have', () => {
    expect(router('GET', '/jobs/%E0%A4%A')).toBe('badPath');
  });

  it('prefers a literal segment, and falls back to a variable when that leads nowhere', () => {
    const plan = (path: string): RoutePlan => ({
      ...(plans[0] as RoutePlan),
      method: 'GET',
      path,
      routeKey: `GET ${path}`,
    });
    const both = routerFor([plan('/a/{x}'), plan('/a/b'), plan('/{y}/b/c')]);
    expect(both('GET', '/a/b')).toMatchObject({ route: { path: '/a/b' } });
    expect(both('GET', '/a/c')).toMatchObject({ route: { path: '/a/{x}' }, pathParameters: { x: 'c' } });
    expect(both('GET', '/a/b/c')).toMatchObject({ route: { path: '/{y}/b/c' }, pathParameters: { y: 'a' } });
  });
});
