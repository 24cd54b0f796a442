// Expected times of a training, as the server returns them.
import type { TimePreview } from '../src/api/datasets';

export const times: TimePreview = {
  presets: [
    {
      preset: 'first-look',
      seconds: 41,
      is_long: false,
      image_size: 112,
      n_trainings: 1,
      needs_pytorch: false,
    },
    { preset: 'good', seconds: 368, is_long: false, image_size: null, n_trainings: 1, needs_pytorch: false },
    { preset: 'best', seconds: 7700, is_long: true, image_size: null, n_trainings: 1, needs_pytorch: true },
  ],
  has_pretraining: false,
};
