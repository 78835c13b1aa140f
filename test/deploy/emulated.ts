// How to speak to an emulator: any credentials will do, the SDK only insists on having some.

/** Account of everything deployed there. */
export const accountId = '000000000000';
export const region = 'us-east-1';

/** Configuration of an SDK client. */
export function emulated(endpoint: string) {
  return { endpoint, region, credentials: { accessKeyId: 'test', secretAccessKey: 'test' } };
}

/** Environment of a program that must see the emulator and nothing of a real account. */
export function emulatedEnvironment(from: NodeJS.ProcessEnv, endpoint: string): NodeJS.ProcessEnv {
  const kept = Object.entries(from).filter(([name]) => !name.startsWith('AWS_') && !name.startsWith('CDK_'));
  return {
    ...Object.fromEntries(kept),
    AWS_ENDPOINT_URL: endpoint,
    AWS_ENDPOINT_URL_SQS: endpoint,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_REGION: region,
    AWS_EC2_METADATA_DISABLED: 'true',
    CDK_DISABLE_VERSION_CHECK: '1',
    CDK_DISABLE_CLI_TELEMETRY: 'true',
  };
}

/** One call of a service without its SDK client: a signature in form only, which names the service. */
export async function callService(
  endpoint: string,
  service: string,
  request: {
    readonly path?: string;
    readonly form?: string;
    readonly target?: string;
    readonly body?: object;
  },
): Promise<string> {
  const scope = `test/20260101/${region}/${service}/aws4_request`;
  const headers: Record<string, string> = {
    authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=none`,
  };
  let body: string | undefined;
  if (request.target !== undefined) {
    headers['x-amz-target'] = request.target;
    headers['content-type'] = 'application/x-amz-json-1.0';
    body = JSON.stringify(request.body ?? {});
  } else if (request.form !== undefined) {
    headers['content-type'] = 'application/x-www-form-urlencoded';
    body = request.form;
  }
  const answer = await fetch(`${endpoint}${request.path ?? '/'}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers,
    ...(body !== undefined && { body }),
    signal: AbortSignal.timeout(30_000),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${service} answered ${answer.status}: ${text.slice(0, 500)}`);
  return text;
}
