// The catalogue of all texts of the pages in English. Each other language is an object of the same type.
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

export const texts = {
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

export type Texts = typeof texts;
