import { describe, expect, it } from 'vitest';
import { isSigned, parseApiHost, parseAuthMode } from '../../../shared/api/signing.ts';

describe('whether requests are signed', () => {
  it.each([
    ['https://abc123.execute-api.eu-west-1.amazonaws.com', true],
    ['https://borealis.example.com', true],
    ['http://127.0.0.1:8081', false],
    ['https://127.0.0.1:8443', false],
    ['https://localhost', false],
    ['https://api.localhost:4566', false],
    ['https://[::1]:1', false],
    ['http://scheduler.internal', false],
  ])('%s: %s', (url, signed) => {
    expect(isSigned(url, 'auto')).toBe(signed);
    expect(isSigned(url, 'iam')).toBe(true);
    expect(isSigned(url, 'none')).toBe(false);
  });

  it('refuses a mode it does not know, naming where it was said', () => {
    expect(() => parseAuthMode('basic', 'BOREALIS_AUTH')).toThrow('"basic" (from BOREALIS_AUTH)');
    expect(parseAuthMode('iam', '--auth')).toBe('iam');
  });
});

describe('the region of an API', () => {
  it.each([
    ['https://abc123.execute-api.eu-west-1.amazonaws.com', 'abc123', 'eu-west-1'],
    ['https://abc123.execute-api.us-gov-west-1.amazonaws.com/', 'abc123', 'us-gov-west-1'],
    ['https://abc123.execute-api.cn-north-1.amazonaws.com.cn', 'abc123', 'cn-north-1'],
    ['https://abc123.execute-api.ap-southeast-2.api.aws', 'abc123', 'ap-southeast-2'],
    ['https://abc123-vpce-0aa11.execute-api.us-east-1.amazonaws.com', 'abc123', 'us-east-1'],
  ])('is in %s', (url, apiId, region) => {
    expect(parseApiHost(url)).toEqual({ apiId, region });
  });

  it.each([
    'https://borealis.example.com',
    'http://abc123.execute-api.localhost.localstack.cloud:4566',
    'https://abc123.execute-api.eu-west-1.amazonaws.com.evil.example',
  ])('is not in %s', (url) => {
    expect(parseApiHost(url)).toEqual({});
  });
});
