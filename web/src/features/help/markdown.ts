// Converts the documentation to HTML. Supports the Markdown that it uses: headings, paragraphs, lists,
// tables, code and links. Pictures are omitted because they show the app itself.

const escaped = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/**
 * The anchor of a heading, as GitHub creates it: `5. Evaluate the classifier` becomes `5-evaluate-the-
 * classifier`.
 */
export const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .trim()
    .replaceAll(' ', '-');

/**
 * Convert a link such as `app.md#3-predict` to the address of a help page; null if the app does not include
 * the file.
 */
export function addressOf(target: string, page: string, pages: readonly string[]): string | null {
  if (/^https?:/.test(target)) return target;
  const [, file = '', anchor = ''] = /^([^#]*)(#.*)?$/.exec(target) ?? [];
  const name = file === '' ? page : /^([\w-]+)\.md$/.exec(file)?.[1];
  if (name === undefined || !pages.includes(name)) return null;
  return name === 'README' ? `help${anchor}` : `help/${name}${anchor}`;
}

/** The pages of the documentation by their kinds: the links of the lists below each heading of its index. */
export const contentsOf = (index: string) =>
  index.split(/^## /m).flatMap((part) => {
    const pages = [...part.matchAll(/^- \[([^\]]+)\]\((\w+)\.md\)/gm)].map(([, title, name]) => ({
      name: name!,
      title: title!.replaceAll('`', ''),
    }));
    return pages.length ? [{ kind: part.split('\n', 1)[0]!, pages }] : [];
  });

type LinkTo = (target: string) => string | null;

export function inline(text: string, linkTo: LinkTo): string {
  // Code contains no Markdown. It is replaced by placeholders first, because links and emphasis can contain
  // code.
  const codes: string[] = [];
  const marked = text.replace(/`([^`]+)`/g, (_, code: string) => `\0${codes.push(code) - 1}\0`);
  return escaped(marked)
    .replace(/\[([^\]]+)\]\(([^)\s]+)\)/g, (_, shown: string, target: string) => {
      const address = linkTo(target);
      return address === null ? shown : `<a href="${address}">${shown}</a>`;
    })
    .replace(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>')
    .replace(/\*([^*]+)\*/g, '<em>$1</em>')
    .replace(/\0(\d+)\0/g, (_, k: string) => `<code>${escaped(codes[Number(k)] ?? '')}</code>`);
}

export const cellsOf = (line: string) =>
  line
    .trim()
    .replace(/^\||\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll('\\|', '|'));

function table(lines: string[], linkTo: LinkTo): string {
  const row = (line: string, tag: string) =>
    `<tr>${cellsOf(line)
      .map((cell) => `<${tag}>${inline(cell, linkTo)}</${tag}>`)
      .join('')}</tr>`;
  const [head = '', , ...body] = lines;
  const rows = body.map((line) => row(line, 'td')).join('');
  return `<div class="table"><table><thead>${row(head, 'th')}</thead><tbody>${rows}</tbody></table></div>`;
}

const ITEM = /^(-|\d+\.) +/;

export function htmlOf(markdown: string, linkTo: LinkTo): string {
  const lines = markdown.split('\n');
  const blocks: string[] = [];
  let at = 0;
  const takeWhile = (isPart: (line: string) => boolean) => {
    const from = at;
    while (at < lines.length && isPart(lines[at]!)) at += 1;
    return lines.slice(from, at);
  };
  while (at < lines.length) {
    const line = lines[at]!;
    const heading = /^(#{1,4}) +(.*)$/.exec(line);
    if (line.trim() === '' || /^!\[[^\]]*\]\([^)]*\)$/.test(line)) at += 1;
    else if (line.startsWith('```')) {
      at += 1;
      const code = takeWhile((each) => !each.startsWith('```'));
      at += 1;
      blocks.push(`<pre tabindex="0"><code>${escaped(code.join('\n'))}</code></pre>`);
    } else if (heading) {
      at += 1;
      const [, marks = '', title = ''] = heading;
      const level = marks.length;
      blocks.push(`<h${level} id="${anchorOf(title)}">${inline(title, linkTo)}</h${level}>`);
    } else if (line.startsWith('|'))
      blocks.push(
        table(
          takeWhile((each) => each.startsWith('|')),
          linkTo,
        ),
      );
    else if (ITEM.test(line)) {
      const tag = line.startsWith('-') ? 'ul' : 'ol';
      const items: string[] = [];
      for (const each of takeWhile((part) => ITEM.test(part) || /^ +\S/.test(part))) {
        if (ITEM.test(each)) items.push(each.replace(ITEM, ''));
        else items.push(`${items.pop() ?? ''} ${each.trim()}`);
      }
      blocks.push(`<${tag}>${items.map((item) => `<li>${inline(item, linkTo)}</li>`).join('')}</${tag}>`);
    } else {
      const text = takeWhile((each) => each.trim() !== '' && !/^(#{1,4} |```|\||- |\d+\. )/.test(each));
      blocks.push(`<p>${inline(text.join(' '), linkTo)}</p>`);
    }
  }
  return blocks.join('\n');
}
