// Searches the documentation by the words of its sections, and by those of users (docs/words.md).
import { anchorOf, cellsOf } from './markdown';

export interface Section {
  page: string;
  title: string; // of the page
  heading: string; // of the section; empty before the first one
  text: string;
  words: string[]; // of heading, title and text, each after a space
}

export interface Hit {
  section: Section;
  excerpt: string;
}

const MOST_HITS = 20;
const EXCERPT = 140; // characters
const LONG_SECTION = 2000; // characters; the text of a longer one counts less

/** Markdown without its marks, in one line. */
const plain = (markdown: string) =>
  markdown
    .replace(/^```.*$/gm, '')
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/^\|[-| :]+\|$/gm, '')
    .replace(/[`*|]/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();

/** The sections of a page. Lines of code that begin with # are not headings. */
export function sectionsOf(page: string, markdown: string): Section[] {
  const parts: { heading: string; lines: string[] }[] = [{ heading: '', lines: [] }];
  let title = page;
  let isCode = false;
  for (const line of markdown.split('\n')) {
    if (line.startsWith('```')) isCode = !isCode;
    const [, marks = '', heading = ''] = (!isCode && /^(#{1,4}) +(.*)$/.exec(line)) || [];
    if (marks === '#') title = plain(heading);
    else if (marks) parts.push({ heading, lines: [] });
    else parts.at(-1)!.lines.push(line);
  }
  return parts.map(({ heading, lines }) => {
    const text = plain(lines.join('\n'));
    const words = [heading, title, text].map((each) => ` ${wordsIn(each).join(' ')}`);
    return { page, title, heading, text, words };
  });
}

export const addressOfSection = ({ page, heading }: Section) =>
  `help${page === 'README' ? '' : `/${page}`}${heading && `#${anchorOf(heading)}`}`;

/** Words of users, as stems, and the files with the sections that answer them: a row of docs/words.md. */
export interface Synonyms {
  phrases: string[][];
  targets: string[]; // such as numbers#calibration
}

// Words of questions, which nearly every section contains.
const IGNORED = new Set(
  'a an and any are as at be by can could coverslip did do does each every everything for from get has have happens how i if in into is it its know like me my need no not of on one or other our says should some that the their them there they this three to two us use used using was we what when where which who why will with without work you your'.split(
    ' ',
  ),
);

const wordsIn = (text: string) =>
  text
    .toLowerCase()
    .normalize('NFKD')
    .match(/[\p{L}\p{N}]+/gu) ?? [];

/** A word without the ending of its plural or verb form: `labels`, `labeled` and `labelling` become `label`. */
const stem = (word: string) =>
  word.length < 4
    ? word
    : word
        .replace(/(ing|ed|es|s)$/, '')
        .replace(/([^aeious])\1$/, '$1')
        .replace(/(e|y|i)$/, '');

const allStems = (text: string) => [...new Set(wordsIn(text).map(stem))];

/** The stems of a query that tell something. If it has only words of questions, these count. */
function stemsOf(query: string): string[] {
  const words = wordsIn(query);
  const telling = words.filter((word) => !IGNORED.has(word));
  return [...new Set((telling.length ? telling : words).map(stem))];
}

/** The rows of docs/words.md. */
export const synonymsOf = (markdown: string): Synonyms[] =>
  markdown.split('\n').flatMap((line) => {
    const [words = '', pages = ''] = cellsOf(line);
    const targets = [...pages.matchAll(/\]\(([^)]+)\)/g)].map(([, target]) => target!.replace('.md', ''));
    return targets.length ? [{ phrases: words.split(', ').map(allStems), targets }] : [];
  });

const targetOf = ({ page, heading }: Section) => page + (heading && `#${anchorOf(heading)}`);

/** How many words of the query are the longest phrase of users that it contains. */
const nOfPhrase = ({ phrases }: Synonyms, stems: readonly string[]) =>
  Math.max(
    0,
    ...phrases.filter((phrase) => phrase.every((word) => stems.includes(word))).map(({ length }) => length),
  );

const GENERATED = /^(words$|rest$|columns$|commands$|file_kinds$|glossary$|python_functions$|problems)/; // also users' words and terms

/**
 * The sections that answer a query: those that docs/words.md names for its words, then those with its words, weighted by
 * rarity and by how much of the query they contain, with the words in a heading first and errors last.
 */
export function hitsOf(
  sections: readonly Section[],
  query: string,
  synonyms: readonly Synonyms[] = [],
): Hit[] {
  const stems = stemsOf(query);
  if (!stems.length) return [];
  const wholeQuery = allStems(query);
  const matches = sections.map(({ words }) =>
    stems.map((word) => words.map((part) => part.includes(` ${word}`))),
  );
  const weights = stems.map((_, k) => {
    const n = matches.filter((ofWord) => ofWord[k]!.some(Boolean)).length;
    return Math.log((sections.length + 1) / (n + 0.5));
  });
  const named = new Map<string, number>();
  for (const row of synonyms)
    row.targets.forEach((target, k) => {
      const n = nOfPhrase(row, wholeQuery);
      if (n) named.set(target, Math.max(named.get(target) ?? 0, n - k / 10));
    });
  const scored = sections.map((section, k) => {
    const ofWords = matches[k]!;
    const isIn = ofWords.map((ofWord) => ofWord.some(Boolean));
    const coverage = weights.reduce((sum, weight, word) => sum + weight * +isIn[word]!, 0);
    const share = Math.min(1, LONG_SECTION / section.text.length);
    const score = ofWords.reduce(
      (sum, [inHeading, inTitle, inText], word) =>
        sum + weights[word]! * (3 * +inHeading! + 2 * +inTitle! + +inText! * share),
      0,
    );
    const isCode = section.heading !== '' && section.heading === query.trim().toLowerCase();
    return {
      section,
      rank: isCode ? Infinity : (named.get(targetOf(section)) ?? 0),
      coverage,
      isLast: GENERATED.test(section.page),
      score: score * coverage,
      first: stems[isIn.indexOf(true)] ?? '',
    };
  });
  const most = Math.max(...scored.map(({ coverage, isLast }) => (isLast ? 0 : coverage)));
  return scored
    .filter(({ coverage, rank }) => rank > 0 || (coverage > 0 && coverage >= most / 2))
    .sort((a, b) => b.rank - a.rank || +a.isLast - +b.isLast || b.score - a.score)
    .slice(0, MOST_HITS)
    .map(({ section, first }) => {
      const at = section.text.toLowerCase().indexOf(first);
      const from = section.text.lastIndexOf(' ', Math.max(0, at - EXCERPT / 3)) + 1;
      const rest = section.text.slice(from);
      const excerpt = rest.length > EXCERPT ? rest.slice(0, rest.lastIndexOf(' ', EXCERPT)) + ' …' : rest;
      return { section, excerpt: `${from > 0 ? '… ' : ''}${excerpt}` };
    });
}
