// The texts of the pages in English, for all tests, and globals and clocks as they were before the previous file.
import { vi } from 'vitest';
import { loadTexts } from '../src/texts';

vi.unstubAllGlobals();
vi.useRealTimers();
await loadTexts('en');
