// The texts of the pages in English, for all tests, and globals and clocks as they were before the previous file.
import { vi } from 'vitest';
import { texts } from '../src/texts';
import { texts as english } from '../src/texts/en';

vi.unstubAllGlobals();
vi.useRealTimers();
Object.assign(texts, english);
