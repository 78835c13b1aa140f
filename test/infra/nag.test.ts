import { describe, expect, it } from 'vitest';
import { nagAdvice, nagFindings } from './nag-findings.ts';

describe('cdk-nag (AwsSolutions)', () => {
  it('finds nothing that nobody has explained', () => {
    const findings = nagFindings({ 'borealis:cluster': 'test', 'borealis:fleetMax': '2' });
    const shown = findings.map(
      ({ rule, construct, description }) => `${rule} at ${construct}: ${description}`,
    );
    expect(shown, nagAdvice).toEqual([]);
  });

  it('would say so if there were something to find', () => {
    const open = nagFindings({ 'borealis:cluster': 'test', 'borealis:auth': 'none' });
    expect(new Set(open.map(({ rule }) => rule))).toEqual(new Set(['AwsSolutions-APIG4']));
  });
});
