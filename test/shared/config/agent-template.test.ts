import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { agentReferences, renderAgentTemplate } from '../../../shared/config/agent-template.ts';
import { isBorealisError } from '../../../shared/lib/errors.ts';

const values = {
  instance: 3,
  hostname: 'host-a',
  taskId: 'r~e~n~3~0~x',
  ports: { http: 8080, 'my-port': 1 },
};

describe('renderAgentTemplate', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['plain $HOME }} {', 'plain $HOME }} {'],
    ['{{borealis.instance}} {{mesos.instance}}', '3 3'],
    ['{{borealis.hostname}} {{mesos.hostname}}', 'host-a host-a'],
    ['{{borealis.taskId}} {{thermos.task_id}}', 'r~e~n~3~0~x r~e~n~3~0~x'],
    ['{{borealis.ports[http]}} {{thermos.ports[my-port]}}', '8080 1'],
    ['{{ borealis.ports[ http ] }}', '8080'],
    ['{"port": {{{borealis.ports[http]}}}}', '{"port": {8080}}'],
    [
      "docker ps --format '{{&.Names}} {{&mesos.instance}}'",
      "docker ps --format '{{.Names}} {{mesos.instance}}'",
    ],
    ['open {{ and {{borealis.instance}}', 'open {{ and 3'],
    ['unclosed {{&x', 'unclosed {{&x'],
  ];
  it.each(cases)('%s', (text, expected) => {
    expect(renderAgentTemplate(text, values)).toBe(expected);
  });

  const wrong: readonly (readonly [string, RegExp])[] = [
    ['{{borealis.ports[admin]}}', /no port named admin/],
    ['{{borealis.ports[constructor]}}', /no port named constructor/],
    ['{{who}}', /\{\{who\}\} is not a name the agent knows/],
    ['{{thermos.ports[p{{mesos.instance}}]}}', /is not a name the agent knows/],
  ];
  it.each(wrong)('refuses %s', (text, expected) => {
    try {
      renderAgentTemplate(text, values);
      expect.unreachable();
    } catch (error) {
      expect(isBorealisError(error, 'INVALID_CONFIG')).toBe(true);
      expect(String(error)).toMatch(expected);
    }
  });

  it('leaves text without double braces alone', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        fc.pre(!text.includes('{{'));
        expect(renderAgentTemplate(text, values)).toBe(text);
      }),
    );
  });

  it('renders whatever agentReferences finds no fault with', () => {
    const piece = fc.constantFrom(
      '{{',
      '}}',
      '{',
      '&',
      'borealis.',
      'ports[http]',
      'instance',
      '{{mesos.hostname}}',
      ' ',
      'x',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const text = pieces.join('');
        const { unknown } = agentReferences(text);
        if (unknown.length === 0) expect(typeof renderAgentTemplate(text, values)).toBe('string');
        else expect(() => renderAgentTemplate(text, values)).toThrow('is not a name the agent knows');
      }),
      { numRuns: 500 },
    );
  });
});

describe('agentReferences', () => {
  it('lists ports once each, in order, and what nobody can fill in', () => {
    expect(
      agentReferences('{{thermos.ports[b]}} {{borealis.ports[a]}} {{borealis.ports[b]}} {{x}} {{&y}}'),
    ).toEqual({
      ports: ['b', 'a'],
      unknown: ['{{x}}'],
    });
  });

  it('is linear in unclosed and nested braces', () => {
    expect(agentReferences('{{'.repeat(200_000)).unknown).toEqual([]);
    expect(agentReferences('{{a'.repeat(20_000) + '}}'.repeat(20_000)).unknown).toHaveLength(1);
  });
});
