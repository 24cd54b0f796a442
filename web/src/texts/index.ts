// The catalogue of all texts of the pages. A second language is a second object of the same type.
import { accounts } from './accounts';
import { datasets } from './datasets';
import { fields } from './fields';
import { general } from './general';
import { guide } from './guide';
import { predict } from './predict';
import { runs } from './runs';
import { studies } from './studies';
import { train } from './train';

export const texts = { general, accounts, datasets, fields, guide, runs, studies, train, predict };
