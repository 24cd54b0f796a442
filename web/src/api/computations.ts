// Requests for results that are computed on request: start one, and read its state and its values.
import { answer, api } from './client';
import type { operations } from './schema';

type Started = operations['create_computation'];
type AnyState = Started['responses'][202]['content']['application/json'];
type New = Started['requestBody']['content']['application/json'];
export type Kind = AnyState['kind'];
export type ComputationState<K extends Kind> = Extract<AnyState, { kind: K }>;

/** The subject is the ID of a dataset, a training or a prediction, `JOB.ROW`, or `STUDY.ANALYSIS`. */
export const readComputation = <K extends Kind>(kind: K, subject: string, signal?: AbortSignal) =>
  answer(
    api.GET('/api/v1/computations/{kind}/{subject}', { params: { path: { kind, subject } }, signal }),
  ) as Promise<ComputationState<K>>;

export const startComputation = <N extends New>(body: N) =>
  answer(api.POST('/api/v1/computations', { body })) as Promise<ComputationState<N['kind']>>;
