// Keeps what users put into their jobs out of logs: command lines, environments, templates and whole rows or bodies may
// hold secrets. Works on what is logged, so a careless log call or an SDK error that carries a row can't leak either.

/** Names under which user data or credentials travel: in our entities, in DynamoDB's and SQS's answers, in requests. */
const secretNames = new Set(
  [
    // entities; a launch, a submission and an update hold theirs under these
    'config configs process processes cmdline env vars metadata healthCheck',
    // requests, messages, rows; `j` is the attribute of a row that holds an entity as JSON
    'body rawBody detail messageBody item items newImage oldImage cancellationReasons j input output payload $response',
    'authorization cookie password secret token taskToken sessionToken secretAccessKey x-amz-security-token credentials',
  ]
    .join(' ')
    .toLowerCase()
    .split(' '),
);

const redacted = '[redacted]';

/** A replacer for JSON.stringify (name, value) that leaves shapes and names but takes out what may be secret. */
export function redact(name: string, value: unknown): unknown {
  if (value === undefined || value === null) return value;
  // JSON.parse quotes what it could not read.
  if ((value as { readonly name?: unknown }).name === 'SyntaxError') {
    return { name: 'SyntaxError', message: 'a text could not be parsed; it is not shown' };
  }
  return secretNames.has(name.toLowerCase()) ? redacted : value;
}
