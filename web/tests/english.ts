// The texts of the pages in English, for all tests.
import { loadTexts } from '../src/texts';

await loadTexts('en');
