// Discord's markdown as a tree of elements. Text stays text: nothing here makes HTML of what somebody wrote.

import { html, useState, useEffect } from '/assets/vendor/preact-htm.js';
import highlighter from '/assets/vendor/highlight.js';

const SAFE_LINK = /^https?:\/\//i;
const NAMES = new Intl.DateTimeFormat(undefined, { dateStyle: 'long' });

/** Code with colours. The highlighter escapes what it is given; its spans are rebuilt as elements all the same. */
function coloured(code, language) {
  if (!language || !highlighter.getLanguage(language)) return code;
  const inert = new DOMParser().parseFromString(highlighter.highlight(code, { language }).value, 'text/html');
  const walk = (node) =>
    node.nodeType === Node.TEXT_NODE
      ? node.data
      : html`<span class=${node.className}>${[...node.childNodes].map(walk)}</span>`;
  return [...inert.body.childNodes].map(walk);
}

function CodeBlock({ code, language }) {
  return html`<pre class="code" role="group" tabindex="0" aria-label=${language ? `${language} code` : 'code'}><code>${coloured(
    code,
    language?.toLowerCase(),
  )}</code></pre>`;
}

function Spoiler({ children }) {
  const [open, setOpen] = useState(false);
  return open
    ? html`<span class="spoiler open">${children}</span>`
    : html`<button class="spoiler" aria-label="Spoiler, press to show" onClick=${() => setOpen(true)}>
        <span aria-hidden="true">${children}</span>
      </button>`;
}

const UNITS = [
  ['year', 31_557_600],
  ['month', 2_629_800],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
];
const RELATIVE = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });

/** "in 5 minutes", as Discord's R style. */
export function relative(unix, now = Date.now() / 1000) {
  const away = Math.round(unix - now);
  const [unit, size] = UNITS.find(([, size]) => Math.abs(away) >= size) ?? UNITS.at(-1);
  return RELATIVE.format(Math.trunc(away / size), unit);
}

const STYLES = {
  t: { timeStyle: 'short' },
  T: { timeStyle: 'medium' },
  d: { dateStyle: 'short' },
  D: { dateStyle: 'long' },
  f: { dateStyle: 'long', timeStyle: 'short' },
  F: { dateStyle: 'full', timeStyle: 'short' },
};

/** A timestamp that ticks when it is relative. */
export function Timestamp({ unix, style }) {
  const [, tick] = useState(0);
  useEffect(() => {
    if (style !== 'R') return undefined;
    const timer = setInterval(() => tick((count) => count + 1), 1000);
    return () => clearInterval(timer);
  }, [style]);
  const at = new Date(unix * 1000);
  if (Number.isNaN(at.getTime())) return html`<span>(no such time)</span>`;
  const full = new Intl.DateTimeFormat(undefined, STYLES.F).format(at);
  const shown = style === 'R' ? relative(unix) : new Intl.DateTimeFormat(undefined, STYLES[style] ?? STYLES.f).format(at);
  return html`<time class="stamp" datetime=${at.toISOString()} title=${full}>${shown}</time>`;
}

// Inline rules, tried in order at each place; `parse` is null where the inside is plain.
const INLINE = [
  [/^\\([^\p{L}\p{N}\s])/u, (m) => m[1]],
  [/^(`+)([\s\S]*?[^`])\1(?!`)/, (m) => html`<code class="inline">${m[2]}</code>`],
  [/^<t:(-?\d{1,13})(?::([tTdDfFR]))?>/, (m) => html`<${Timestamp} unix=${Number(m[1])} style=${m[2] ?? 'f'} />`],
  [/^<@!?(\d+)>/, (m, c) => html`<span class="mention">@${c.names.user(m[1])}</span>`],
  [/^<@&(\d+)>/, (m, c) => html`<span class="mention">@${c.names.role(m[1])}</span>`],
  [/^<#(\d+)>/, (m, c) => html`<span class="mention">#${c.names.channel(m[1])}</span>`],
  [/^<\/([^:>\n]+):\d+>/, (m, c) => html`<button class="mention" onClick=${() => c.command?.(m[1])}>/${m[1]}</button>`],
  [/^<a?:(\w+):\d+>/, (m) => `:${m[1]}:`],
  [/^@(everyone|here)\b/, (m) => html`<span class="mention">@${m[1]}</span>`],
  [/^\[((?:\\.|[^\]\\\n])+)\]\(<?([^\s<>)]+)>?(?:\s+"[^"]*")?\)/, (m, c) =>
    SAFE_LINK.test(m[2]) ? link(m[2], inline(m[1], c)) : m[0]],
  [/^<(https?:\/\/[^\s<>]+)>/i, (m) => link(m[1], m[1])],
  [/^https?:\/\/[^\s<>]*[^\s<>.,:;"'\]\)*_~|`]/i, (m) => link(m[0], m[0])],
  [/^\*\*((?:\\.|(?!\*\*)[\s\S])+?\*?)\*\*(?!\*)/, (m, c) => html`<strong>${inline(m[1], c)}</strong>`],
  [/^__((?:\\.|(?!__)[\s\S])+?_?)__(?!_)/, (m, c) => html`<u>${inline(m[1], c)}</u>`],
  [/^\*(?=\S)((?:\\.|\*\*[\s\S]+?\*\*|[^*\\])+?)\*(?!\*)/, (m, c) => html`<em>${inline(m[1], c)}</em>`],
  [/^_((?:\\.|__[\s\S]+?__|[^_\\])+?)_(?![_\p{L}\p{N}])/u, (m, c) => html`<em>${inline(m[1], c)}</em>`],
  [/^~~([\s\S]+?)~~/, (m, c) => html`<s>${inline(m[1], c)}</s>`],
  [/^\|\|([\s\S]+?)\|\|/, (m, c) => html`<${Spoiler}>${inline(m[1], c)}<//>`],
];

function link(address, text) {
  return html`<a href=${address} rel="noopener noreferrer nofollow" target="_blank">${text}</a>`;
}

function inline(text, context) {
  const parts = [];
  let plain = '';
  let rest = text;
  while (rest) {
    let hit = null;
    // A letter before an underscore makes it part of a word.
    const inWord = rest[0] === '_' && /[\p{L}\p{N}]$/u.test(plain);
    if (!inWord) {
      for (const [pattern, render] of INLINE) {
        const match = pattern.exec(rest);
        if (match) {
          hit = [match[0].length, render(match, context)];
          break;
        }
      }
    }
    if (hit) {
      if (plain) parts.push(plain);
      plain = '';
      parts.push(hit[1]);
      rest = rest.slice(hit[0]);
    } else {
      const next = /^[\s\S][^\\`<@\[h*_~|]*/.exec(rest)[0];
      plain += next;
      rest = rest.slice(next.length);
    }
  }
  if (plain) parts.push(plain);
  return parts;
}

const FENCE = /^(```)(?:([\w+#.-]+)\n)?\n?([\s\S]*?)\n?```/;

function blocks(text, context) {
  const out = [];
  let rest = text;
  let lines = [];
  const flush = () => {
    if (lines.length) out.push(...paragraphs(lines.join('\n'), context));
    lines = [];
  };
  while (rest) {
    const fence = rest.startsWith('```') ? FENCE.exec(rest) : null;
    if (fence) {
      flush();
      out.push(html`<${CodeBlock} code=${fence[3]} language=${fence[2]} />`);
      rest = rest.slice(fence[0].length).replace(/^\n/, '');
      continue;
    }
    if (/^>>> /.test(rest) && !lines.length) {
      out.push(html`<blockquote>${blocks(rest.slice(4), context)}</blockquote>`);
      return out;
    }
    if (/^> /.test(rest) && !lines.length) {
      const quoted = /^(?:> .*(?:\n|$)|>(?:\n|$))+/.exec(rest)[0];
      out.push(html`<blockquote>${blocks(quoted.replace(/^> ?/gm, '').replace(/\n$/, ''), context)}</blockquote>`);
      rest = rest.slice(quoted.length);
      continue;
    }
    // Up to the next line, or to a fence inside this one.
    const line = /^(?:(?!```)[^\n])*\n?/.exec(rest)[0] || rest.slice(0, 3);
    rest = rest.slice(line.length);
    lines.push(line.replace(/\n$/, ''));
    if (rest.startsWith('> ') || rest.startsWith('>>> ') || rest.startsWith('```')) flush();
  }
  flush();
  return out;
}

const LIST = /^( *)([-*]|\d{1,9}\.) +(.*)$/;

function paragraphs(text, context) {
  const out = [];
  let plain = [];
  const flush = () => {
    if (plain.length) out.push(html`<div class="text">${inline(plain.join('\n'), context)}</div>`);
    plain = [];
  };
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at];
    const heading = /^(#{1,3}) +(.+)$/.exec(line);
    const small = /^-# +(.+)$/.exec(line);
    if (heading) {
      flush();
      // The page has its own h1 and h2; a message's headings come below them.
      out.push(html`<div class=${`heading level-${heading[1].length}`} role="heading" aria-level=${heading[1].length + 2}>
        ${inline(heading[2], context)}
      </div>`);
    } else if (small) {
      flush();
      out.push(html`<div class="small">${inline(small[1], context)}</div>`);
    } else if (LIST.test(line)) {
      flush();
      const items = [];
      while (at < lines.length && LIST.test(lines[at])) {
        const [, indent, marker, content] = LIST.exec(lines[at]);
        items.push(html`<li style=${`--depth:${Math.floor(indent.length / 2)}`} data-marker=${/\d/.test(marker) ? marker : '•'}>
          ${inline(content, context)}
        </li>`);
        at += 1;
      }
      at -= 1;
      out.push(html`<ul class="list">${items}</ul>`);
    } else {
      plain.push(line);
    }
  }
  flush();
  return out;
}

/** A message's text. `names` says who and what ids are; `command(name)` runs when somebody presses a command's mention. */
export function Markdown({ text, names, command }) {
  return html`<div class="markdown">${blocks(text, { names, command })}</div>`;
}

/** A text in one line, names instead of ids. */
export const plain = (text, names) =>
  text.replace(/<@!?(\d+)>/g, (_, id) => `@${names.user(id)}`).replace(/<#(\d+)>/g, (_, id) => `#${names.channel(id)}`).replace(/\s+/g, ' ');

export const day = (date) => NAMES.format(date);
