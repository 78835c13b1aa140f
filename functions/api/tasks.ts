// GET /tasks/{taskId}.
import { BorealisError } from '../../shared/lib/errors.ts';
import type { ResourceHandler } from './context.ts';
import { taskView } from './views.ts';

export const getTask: ResourceHandler<'getTask'> = async ({ params }, deps) => {
  const task = await deps.store.getTask(params.taskId);
  if (task) return taskView(task);
  throw new BorealisError(
    'NOT_FOUND',
    `there is no task ${params.taskId}; it was killed before it ran, or its history has expired`,
  );
};
