// Questions of four kinds of users, in their words, and the sections that answer them.
import { expect, test } from 'vitest';
import { addressOfSection, hitsOf, sectionsOf, synonymsOf } from '../src/features/help/search';

const files = Object.entries(
  import.meta.glob<string>('../../docs/*.md', { query: '?raw', import: 'default', eager: true }),
);
const sections = files.flatMap(([path, text]) => sectionsOf(path.replace(/^.*\/|\.md$/g, ''), text));
const synonyms = synonymsOf(files.find(([path]) => path.endsWith('/words.md'))![1]);
const found = (query: string) =>
  hitsOf(sections, query, synonyms).map(({ section }) => addressOfSection(section).replace(/^help\//, ''));

const QUESTIONS: Record<string, [question: string, ...answers: string[]][]> = {
  biologist: [
    ['how do I get the parasitemia of a patient', 'proportions'],
    ['how many images do I need', 'comparing#learning-curve'],
    ['some of my images have wrong labels', 'label_errors', 'label_errors#find-suspected-label-errors'],
    ['count mitotic cells in a whole field', 'fields', 'finding_objects'],
    ['confluency', 'fields', 'finding_objects'],
    ['compare treated and control wells', 'proportions', 'conditions'],
    ['can I open CZI files', 'images#file-formats'],
    ['which cells should I label next', 'label_images#which-images-to-label-next'],
    ['is it for me', 'is_it_for_me'],
    [
      'use the classifier in QuPath',
      'export',
      'fields#predictions-in-the-program-in-which-you-see-the-fields',
    ],
    ['magnification of the objective differs', 'pixel_size', 'pixel_size#new-images-of-another-pixel-size'],
    ['install on Windows', 'install#windows-and-macos', 'install'],
    ['wrongly labelled pictures', 'label_errors#find-suspected-label-errors'],
  ],
  analyst: [
    ['GridSearchCV', 'sklearn'],
    ['batch effect between plates', 'data#several-datasets-at-once', 'conditions#days-batches-and-pairs'],
    ['adjust for age and sex', 'conditions#covariates'],
    ['read predictions with pandas', 'python#tables'],
    ['is one model significantly better than the other', 'comparing#compare-trainings'],
    ['calibrated probabilities', 'calibration'],
    ['classes are imbalanced', 'groups#small-classes', 'run_training#sampling'],
    ['train test split by patient', 'groups', 'groups#how-the-split-is-made'],
    ['repeat cross validation', 'training#cross-validation'],
    ['use my own PyTorch module', 'models#networks-from-other-packages'],
    ['R script for the results', 'method_researcher#use-the-tables-in-r'],
    ['reproduce a training exactly', 'training#reproducibility'],
    ['random seed reproducability', 'training#reproducibility'],
    ['extract feature vectors', 'python_images#the-network-itself'],
  ],
  clinician: [
    [
      'choose the threshold for screening',
      'train_in_app#choose-a-decision-threshold',
      'thresholds#operating-points',
    ],
    ['what is the PPV if the disease is rare', 'thresholds#other-class-proportions'],
    [
      'stain of another hospital',
      'images#new-images-that-differ-from-the-training-images',
      'data#several-datasets-at-once',
    ],
    ['external validation cohort', 'train_in_app#external-test-sets'],
    ['which number do I put in the manuscript', 'which_number'],
    ['formula of the confidence interval', 'statistician', 'numbers#intervals'],
    ['kappa of two pathologists', 'label_images#agreement-of-readers'],
    ['is it a medical device', 'numbers#limitations', 'is_it_for_me'],
    ['are patient images uploaded to the internet', 'security#data-stays-on-the-computer'],
    ['same patient in training and test', 'groups'],
    ['why did it predict this class', 'explanations'],
    ['how do I cite it', 'method_researcher#how-to-cite'],
  ],
  administrator: [
    ['disk space', 'install', 'install#the-cache'],
    ['how many users can one server have', 'core_facility', 'core_facility#sizing'],
    ['single sign-on with Keycloak', 'core_facility#single-sign-on'],
    ['LDAP', 'core_facility#single-sign-on'],
    ['systemd unit', 'core_facility', 'core_facility#start-with-systemd'],
    ['nginx reverse proxy', 'core_facility', 'core_facility#reverse-proxy'],
    ['backup of the server', 'server#backups'],
    ['run on Slurm', 'server#slurm'],
    ['user forgot the password', 'server#accounts'],
    ['no internet on the cluster nodes', 'weights#work-offline', 'security#data-stays-on-the-computer'],
    ['GPU memory', 'run_training#memory', 'run_training#on-a-gpu'],
    ['limit cpu cores', 'run_training#a-time-budget'],
    ['upgrade to a new version', 'core_facility#upgrade', 'core_facility', 'install#update'],
  ],
};

test('questions of four kinds of users find a section that answers among the first three', () => {
  for (const questions of Object.values(QUESTIONS)) expect(questions.length).toBeGreaterThanOrEqual(10);
  const missed = Object.values(QUESTIONS)
    .flat()
    .filter(
      ([question, ...answers]) =>
        !found(question)
          .slice(0, 3)
          .some((each) => answers.includes(each)),
    )
    .map(([question]) => [question, ...found(question).slice(0, 3)]);
  expect(missed).toEqual([]);
}, 60_000);

test('the page of words leads to sections of this documentation, and to its words', () => {
  const { topics, terms } = synonyms;
  const addresses = new Set(sections.map(addressOfSection));
  const targets = topics.flatMap((row) => row.targets);
  expect(topics.flatMap(({ phrases }) => phrases).length).toBeGreaterThan(200);
  expect(targets.filter((target) => !addresses.has(`help/${target}`))).toEqual([]);
  const used = new Set(
    sections.flatMap(({ page, stems }) => (page === 'words' ? [] : stems.flatMap((each) => [...each]))),
  );
  expect(terms.size).toBeGreaterThan(50);
  expect([...terms.values()].flat().filter((word) => !used.has(word))).toEqual([]);
});

test('typing errors, British spelling, beginnings, joined words and words of users find what the word finds', () => {
  for (const [typed, word] of [
    ['calibraton', 'calibration'], // one letter less
    ['leekage', 'leakage'],
    ['propotrions', 'proportions'], // two letters swapped
    ['normalised colours', 'normalized colors'],
    ['parasitaemia', 'parasitemia'],
    ['confusi', 'confusion'],
    ['timebudget', 'time budget'],
    ['RAM', 'memory'],
    ['photos', 'images'],
  ])
    expect([typed, ...found(typed!).slice(0, 3)]).toEqual([typed, ...found(word!).slice(0, 3)]);
}, 60_000);

test('plural and verb forms match, a code of an error is found by its name, and other words still find sections', () => {
  expect(found('thresholds')[0]).toBe(found('threshold')[0]);
  expect(found('labelling images')[0]).toBe(found('label images')[0]);
  expect(found('wrong-host')[0]).toBe('problems_workspace#wrong-host');
  expect(found('Hedges g zebra')).toContain('glossary');
  expect(found('zzzz')).toEqual([]);
}, 60_000);
