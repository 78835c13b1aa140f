// The job of a file as the body of an update: `[key[/INSTANCES]] <file>` and the settings of file and command line.

import type { UpdateBody } from '../../shared/api/updates.ts';
import { BorealisError } from '../../shared/lib/errors.ts';
import { countInstances } from '../../shared/model/instance-ranges.ts';
import type { JobKey } from '../../shared/model/job-key.ts';
import { keyAndFile, loadOneJob } from '../job-file.ts';
import { formatKey, parseTarget } from '../keys.ts';
import type { Session } from '../session.ts';
import { checkLimits, readSettings, type SettingWords } from './settings.ts';

export interface FileWords extends SettingWords {
  readonly bind?: string[] | undefined;
  readonly readJson?: true | undefined;
  readonly expectVersion?: string | undefined;
}

export interface FileUpdate {
  readonly key: JobKey;
  /** `cluster/role/env/name`. */
  readonly shown: string;
  readonly body: UpdateBody;
}

/** Reads the file; INVALID_CONFIG or INVALID_REQUEST with what to do if it cannot be sent. */
export async function updateFromFile(
  session: Session,
  first: string,
  second: string | undefined,
  words: FileWords,
): Promise<FileUpdate> {
  const given = keyAndFile(first, second);
  const target = given.key === undefined ? undefined : parseTarget(given.key);
  const { submission, cluster, update } = await loadOneJob({
    file: given.file,
    key: target && formatKey(target.cluster, target.key),
    bind: words.bind,
    json: words.readJson,
  });
  const settings = readSettings(words, update);
  checkLimits(settings, countInstances(submission.configs.flatMap(({ instances }) => instances)));
  const expectedVersion = readVersion(words.expectVersion);
  if (cluster !== undefined) await session.checkCluster(cluster);
  const { role, environment, name } = submission;
  const key = { role, environment, name };
  return {
    key,
    shown: formatKey(cluster ?? (await session.cluster()), key),
    body: {
      change: { kind: 'replace', configs: submission.configs },
      settings,
      ...(target?.instances && { only: [...target.instances] }),
      ...(expectedVersion !== undefined && { expectedVersion }),
    },
  };
}

function readVersion(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new BorealisError(
    'INVALID_REQUEST',
    `--expect-version "${text}" is not a version; \`update plan\` prints it. Nothing was started.`,
  );
}
