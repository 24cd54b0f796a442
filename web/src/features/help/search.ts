// Searches the documentation by the words of its sections.
import { anchorOf } from './markdown';

export interface Section {
  page: string;
  title: string; // of the page
  heading: string; // of the section; empty before the first one
  text: string;
}

export interface Hit {
  section: Section;
  excerpt: string;
}

const MOST_HITS = 20;
const EXCERPT = 140; // characters

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
  return parts.map(({ heading, lines }) => ({ page, title, heading, text: plain(lines.join('\n')) }));
}

export const addressOfSection = ({ page, heading }: Section) =>
  `help${page === 'README' ? '' : `/${page}`}${heading && `#${anchorOf(heading)}`}`;

const isError = (section: Section) => section.page === 'problems'; // its headings are codes of errors

/** The sections that contain all words of the query; those with the words in a heading first, errors last. */
export function hitsOf(sections: readonly Section[], query: string): Hit[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  const scored = sections.flatMap((section) => {
    const [heading, title, text] = [section.heading, section.title, section.text].map((each) =>
      each.toLowerCase(),
    ) as [string, string, string];
    if (!words.every((word) => heading.includes(word) || title.includes(word) || text.includes(word)))
      return [];
    const score = words.reduce((sum, word) => sum + 2 * +heading.includes(word) + +title.includes(word), 0);
    return [
      { section, score, at: Math.max(0, text.indexOf(words.find((word) => text.includes(word)) ?? '')) },
    ];
  });
  return scored
    .sort((a, b) => +isError(a.section) - +isError(b.section) || b.score - a.score)
    .slice(0, MOST_HITS)
    .map(({ section, at }) => {
      const from = section.text.lastIndexOf(' ', Math.max(0, at - EXCERPT / 3)) + 1;
      const rest = section.text.slice(from);
      const excerpt = rest.length > EXCERPT ? rest.slice(0, rest.lastIndexOf(' ', EXCERPT)) + ' …' : rest;
      return { section, excerpt: `${from > 0 ? '… ' : ''}${excerpt}` };
    });
}
