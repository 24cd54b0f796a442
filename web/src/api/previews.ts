// Requests for previews of what another request would do or find.
import { answer, api } from './client';
import type { components, operations } from './schema';

type Schemas = components['schemas'];
type Previewed = operations['preview']['requestBody']['content']['application/json'];
interface Previews {
  table: Schemas['TablePreview'];
  groups: Schemas['GroupPreview'];
  split: Schemas['SplitPreview'];
  time: Schemas['TimePreview'];
  objects: Schemas['ObjectsPreview'];
  finder: Schemas['FinderPreview'];
  study: Schemas['StudyOutlook'];
  evaluation: Schemas['EvaluationOutlook'];
  adaptation: Schemas['AdaptationPreview'];
  join: Schemas['JoinPreview'];
  'labels-needed': Schemas['LabelsForWidth'];
}

/** Nothing is changed. Times are those of the computer of the server. */
export const preview = <P extends Previewed>(body: P, signal?: AbortSignal) =>
  answer(api.POST('/api/v1/previews', { body, signal })) as Promise<unknown> as Promise<Previews[P['kind']]>;
