// Searches the documentation by the words of its sections, and by those of users (docs/words.md).
import { anchorOf, cellsOf } from './markdown';

export interface Section {
  page: string;
  title: string; // of the page
  heading: string; // of the section; empty before the first one
  text: string;
  words: string[]; // each once
  stems: Set<string>[]; // of heading, title and text
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
    const words = [heading, title, text].map(wordsIn);
    const stems = words.map((each) => new Set(each.map(stem)));
    return { page, title, heading, text, words: [...new Set(words.flat())], stems };
  });
}

export const addressOfSection = ({ page, heading }: Section) =>
  `help${page === 'README' ? '' : `/${page}`}${heading && `#${anchorOf(heading)}`}`;

/** The words of docs/words.md. */
export interface Synonyms {
  topics: { phrases: string[][]; targets: string[] }[]; // stems of users, and sections that answer, such as numbers#calibration
  terms: Map<string, string[]>; // a stem of users, and those of the same meaning in the documentation
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

/** A word without its ending, in American spelling: `labels`, `labeled` and `labelling` become `label`. */
const stem = (word: string) =>
  word.length < 4
    ? word
    : word
        .replace(/[ao]e(?=...)/, 'e')
        .replace(/(?<=...)our/, 'or')
        .replace(/(?<=[iy])s(?=e|ing|ation)/, 'z')
        .replace(/(?<=[bt])re(?=s?$)/, 'er')
        .replace(/(?<=...)(at(ions?|e[ds]?|ing)|ions?|ing|ed|ly|es|s)$/, '')
        .replace(/(e|y|i)$/, '')
        .replace(/([^aeious])\1$/, '$1');

const allStems = (text: string) => [...new Set(wordsIn(text).map(stem))];

/** Whether one letter is missing, added, replaced or swapped with its neighbor. */
function isMistyped(word: string, correct: string): boolean {
  let k = 0;
  while (k < word.length && word[k] === correct[k]) k++;
  const [a, b] = [word.slice(k), correct.slice(k)];
  return (
    a.slice(1) === b ||
    a === b.slice(1) ||
    a.slice(1) === b.slice(1) ||
    (a[0] === b[1] && a[1] === b[0] && a.slice(2) === b.slice(2))
  );
}

/** The table of topics in docs/words.md, and its list of terms: `- image: picture, photo`. */
export function synonymsOf(markdown: string): Synonyms {
  const synonyms: Synonyms = { topics: [], terms: new Map() };
  for (const line of markdown.split('\n')) {
    const [phrases = '', pages = ''] = cellsOf(line);
    const targets = [...pages.matchAll(/\]\(([^)]+)\)/g)].map(([, target]) => target!.replace('.md', ''));
    if (targets.length) synonyms.topics.push({ phrases: phrases.split(', ').map(allStems), targets });
    const [, meaning = '', words = ''] = /^- (.+): (.+)$/.exec(line) ?? [];
    for (const word of allStems(words)) synonyms.terms.set(word, allStems(meaning));
  }
  return synonyms;
}

const targetOf = ({ page, heading }: Section) => page + (heading && `#${anchorOf(heading)}`);

const GENERATED = /^(words$|rest$|columns$|commands$|file_kinds$|glossary$|python_functions$|problems)/; // also users' words and terms

/**
 * The stems that a word of a query means: its own and those of its synonyms, else those of words that begin with it,
 * else those of words with one letter more, less or other. Two words without a space have the stems of each.
 */
function meaningsOf(word: string, sections: readonly Section[], terms: Synonyms['terms']): string[][] {
  const same = [stem(word), ...(terms.get(stem(word)) ?? [])];
  const used = same.filter((each) => sections.some(({ stems }) => stems.some((part) => part.has(each))));
  if (used.length) return [used];
  const all = new Set(sections.flatMap(({ words }) => words));
  const longer = [...all].filter((each) => each.startsWith(word));
  const similar =
    longer.length || word.length < 4 ? longer : [...all].filter((each) => isMistyped(word, each));
  if (similar.length) return [[...new Set(similar.map(stem))]];
  const pairs = [...word].map((_, k) => [word.slice(0, k), word.slice(k)]);
  const pair = pairs.find((parts) => parts.every((part) => part.length > 2 && all.has(part)));
  return (pair ?? []).map((part) => [stem(part)]);
}

/**
 * The sections that answer a query: those that docs/words.md names for its words, then those with its words, weighted by
 * rarity and by how much of the query they contain, with the words in a heading first and errors last.
 */
export function hitsOf(
  sections: readonly Section[],
  query: string,
  { topics, terms }: Synonyms = { topics: [], terms: new Map() },
): Hit[] {
  const meanings = new Map(wordsIn(query).map((word) => [word, meaningsOf(word, sections, terms)]));
  const telling = [...meanings].filter(([word]) => !IGNORED.has(word));
  const words = (telling.length ? telling : [...meanings]).flatMap(([, stems]) => stems);
  const wholeQuery = new Set([...meanings.values()].flat(2));
  const matches = sections.map(({ stems }) =>
    words.map((word) => stems.map((part) => word.find((each) => part.has(each)))),
  );
  const weights = words.map((_, k) => {
    const n = matches.filter((ofWord) => ofWord[k]!.some(Boolean)).length;
    return Math.log((sections.length + 1) / (n + 0.5));
  });
  const named = new Map<string, number>();
  for (const { phrases, targets } of topics) {
    const found = phrases.filter((phrase) => phrase.every((word) => wholeQuery.has(word)));
    const n = Math.max(0, ...found.map(({ length }) => length));
    if (n) targets.forEach((target, k) => named.set(target, Math.max(named.get(target) ?? 0, n - k / 10)));
  }
  const scored = sections.map((section, k) => {
    const ofWords = matches[k]!;
    const isIn = ofWords.map((ofWord) => ofWord.some(Boolean));
    const coverage = weights.reduce((sum, weight, word) => sum + weight * +isIn[word]!, 0);
    const share = Math.min(1, LONG_SECTION / section.text.length);
    const inTexts = ofWords.reduce(
      (sum, [inHeading, inTitle, inText], word) =>
        sum + weights[word]! * (3 * +!!inHeading + 2 * +!!inTitle + +!!inText * share),
      0,
    );
    const isNamed =
      /^(problems|commands)/.test(section.page) && section.heading === query.trim().toLowerCase();
    return {
      section,
      rank: isNamed ? Infinity : (named.get(targetOf(section)) ?? 0),
      coverage,
      isLast: GENERATED.test(section.page),
      score: inTexts * coverage,
      first: ofWords.map((ofWord) => ofWord[2]).find(Boolean) ?? '',
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
