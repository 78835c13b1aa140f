// The resource policy of one agent's command queue: what is in it is for that agent only, and goes over TLS only. The
// launches in it hold whole configs of tasks, and every agent's role may read all agents' queues as far as IAM goes.

/** As SetQueueAttributes takes it. `owner`: unique id of the agent's identity; undefined while it has none. */
export function agentQueuePolicy(queueArn: string, owner: string | undefined): string {
  const deny = { Effect: 'Deny', Principal: '*', Resource: queueArn };
  const statements = [
    {
      Sid: 'OnlyOverTls',
      ...deny,
      Action: 'sqs:*',
      Condition: { Bool: { 'aws:SecureTransport': 'false' } },
    },
    ...(owner === undefined
      ? []
      : [
          {
            Sid: 'OnlyItsAgent',
            ...deny,
            Action: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility'],
            Condition: { StringNotEquals: { 'aws:userid': owner } },
          },
        ]),
  ];
  return JSON.stringify({ Version: '2012-10-17', Statement: statements });
}
