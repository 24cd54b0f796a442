import type { Texts } from '../en';
import { accounts } from './accounts';
import { counts } from './counts';
import { datasets } from './datasets';
import { fields } from './fields';
import { general } from './general';
import { guide } from './guide';
import { predict } from './predict';
import { remedies } from './remedies';
import { runs } from './runs';
import { studies } from './studies';
import { train } from './train';

export const texts: Texts = {
  general,
  accounts,
  counts,
  datasets,
  fields,
  guide,
  runs,
  studies,
  train,
  predict,
  remedies,
};
