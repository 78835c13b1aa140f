// The start script of an agent's machine. It needs what Amazon Linux 2023 has (bash, tar, the AWS command line) and S3;
// nothing is installed from elsewhere.

export interface AgentUserDataProps {
  readonly archiveBucket: string;
  readonly archiveKey: string;
  readonly region: string;
  /** Roles that get a user of their own. */
  readonly taskUsers: readonly string[];
  /** Content of the agent's environment file; no value may have a line end or a quote in it. */
  readonly environment: Readonly<Record<string, string>>;
}

/** The script as text; references to other resources in it are resolved by CloudFormation. */
export function agentUserData(props: AgentUserDataProps): string {
  const { archiveBucket, archiveKey, region, taskUsers, environment } = props;
  return [
    '#!/bin/bash',
    'set -euo pipefail',
    'umask 077',
    'mkdir -p "${ROOT:-}/etc/borealis"',
    'cat > "${ROOT:-}/etc/borealis/agent.env" <<\'END\'',
    ...Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    'END',
    'archive=$(mktemp)',
    'unpacked=$(mktemp -d)',
    // The rights of a new instance's role, and S3, may take a moment.
    'for pause in 2 4 8 16 32 64 0; do',
    `  aws s3 cp --only-show-errors --region '${region}' 's3://${archiveBucket}/${archiveKey}' "$archive" && break`,
    '  [ "$pause" != 0 ] || exit 1',
    '  sleep "$pause"',
    'done',
    'tar -xzf "$archive" -C "$unpacked"',
    ['bash "$unpacked/install.sh"', ...taskUsers].join(' '),
    'rm -rf "$archive" "$unpacked"',
    '',
  ].join('\n');
}
