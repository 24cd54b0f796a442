// Every text that people read, in one catalogue. A second language is a second object of the same shape.
import { datasets } from './datasets';
import { general } from './general';
import { predict } from './predict';
import { runs } from './runs';
import { studies } from './studies';
import { train } from './train';

export const texts = { general, datasets, runs, studies, train, predict };
