import { expect, test } from 'vitest';
import { answer, Problem, problemOf } from '../src/api/client';
import { texts } from '../src/texts';
import { withoutCommands } from '../src/texts/commands';
import { problemLine, problemText } from '../src/texts/problems';

const body = {
  title: 'The image cannot be read.',
  do: 'Export it again.',
  file: 'a/1.tif',
  errors: [{ field: 'file', message: 'It ends after 3 of 12 planes.' }],
};

test('a problem has its file and field errors', () => {
  const problem = problemOf(422, 'Unprocessable', body);
  expect(problem).toMatchObject({ status: 422, file: 'a/1.tif', errors: body.errors });
  expect(problemLine(problem)).toBe(
    'The image cannot be read. a/1.tif It ends after 3 of 12 planes. Export it again.',
  );
});

test('a response of a proxy is described by its status', () => {
  expect(problemOf(502, 'Bad Gateway', '<html>').title).toBe('Bad Gateway');
  expect(problemOf(502, 'Bad Gateway', null).title).toBe('Bad Gateway');
});

test('a server that does not respond has a text of the app', async () => {
  const silent = await answer(Promise.reject(new TypeError('Failed to fetch'))).catch((error) => error);
  expect(silent).toBeInstanceOf(Problem);
  expect(problemText(silent)).toMatchObject(texts.general.silent);
});

test('a canceled request is not a problem', async () => {
  const stop = new DOMException('', 'AbortError');
  await expect(answer(Promise.reject(stop))).rejects.toBe(stop);
});

test('a next step names tabs, not commands, in both languages', () => {
  const steps = {
    'Test it (tab “Trust” of the training, or coverslip evaluate RUN DATA).':
      'Test it (tab “Trust” of the training).',
    'Testen Sie ihn (Reiter „Belege“ des Trainings oder coverslip evaluate RUN DATA).':
      'Testen Sie ihn (Reiter „Belege“ des Trainings).',
    'Label more images (coverslip suggest DATA --run RUN), and train again.':
      'Label more images, and train again.',
  };
  for (const [step, ofPage] of Object.entries(steps)) expect(withoutCommands(step)).toBe(ofPage);
});
