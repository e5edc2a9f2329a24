// Where people write: messages, mentions, and slash commands with their options.

import { html, useEffect, useRef, useState } from '/assets/vendor/preact-htm.js';
import { packed, post } from '/assets/api.js';

const KINDS = { 3: 'text', 4: 'whole number', 5: 'true or false', 6: 'person', 7: 'channel', 8: 'role', 10: 'number', 11: 'file' };

/** Every command that can be called, subcommands spelt out: `settings oauth-status`. */
export function callable(commands) {
  const flat = (command, path) => {
    const inner = (command.options ?? []).filter((option) => option.type <= 2);
    const name = [...path, command.name];
    if (inner.length) return inner.flatMap((option) => flat(option, name));
    return [{ name: name.join(' '), description: command.description, options: command.options ?? [] }];
  };
  return commands.filter((command) => (command.type ?? 1) === 1).flatMap((command) => flat(command, []));
}

/** What is being typed: which command, its options so far, and which one now. */
function reading(text, all) {
  if (!text.startsWith('/')) return null;
  const line = text.slice(1);
  const command = all.filter(({ name }) => line === name || line.startsWith(`${name} `)).sort((a, b) => b.name.length - a.name.length)[0];
  if (!command || line === command.name) return { typed: line, command: null };
  const rest = line.slice(command.name.length + 1);
  const marks = [...rest.matchAll(/(?:^|\s)([\w-]+):/g)].filter(([, name]) => command.options.some((option) => option.name === name));
  const values = {};
  marks.forEach((mark, at) => {
    const from = mark.index + mark[0].length;
    values[mark[1]] = rest.slice(from, marks[at + 1]?.index).trim();
  });
  const last = marks.at(-1);
  const current = last && command.options.find((option) => option.name === last[1]);
  return { command, values, current, tail: last ? rest.slice(last.index + last[0].length).trimStart() : rest.trim() };
}

export function Composer({ app, channel, replyTo, draft, setDraft }) {
  const { me, world } = app;
  const [offers, setOffers] = useState([]);
  const [at, setAt] = useState(0);
  const [closed, setClosed] = useState(false);
  const [files, setFiles] = useState([]);
  const area = useRef(null);
  const picker = useRef(null);
  const all = callable(world.commands);
  const read = reading(draft, all);

  useEffect(() => area.current?.focus(), [channel.id, replyTo]);
  useEffect(() => {
    // It grows with what is written.
    area.current.style.height = 'auto';
    area.current.style.height = `${Math.min(area.current.scrollHeight, 240)}px`;
  }, [draft]);

  useEffect(() => {
    setAt(0);
    const finish = (list) => setOffers(list);
    if (read && !read.command) {
      const wanted = read.typed.toLowerCase();
      return finish(
        all
          .filter(({ name }) => name.includes(wanted))
          .slice(0, 12)
          .map((command) => ({ label: `/${command.name}`, hint: command.description, text: `/${command.name} ` })),
      );
    }
    if (read?.command) {
      const put = (value) => draft.replace(/([\w-]+:)\s*[^:]*$/, `$1${value} `);
      if (read.current) {
        const fits = (choice) => choice.name.toLowerCase().includes(read.tail.toLowerCase());
        const shown = (choices) =>
          choices.map((choice) => ({ label: choice.name, hint: read.current.name, text: put(choice.value) }));
        if (read.current.choices?.length) return finish(shown(read.current.choices.filter(fits)));
        if (read.current.type === 5) return finish(shown([{ name: 'True', value: 'true' }, { name: 'False', value: 'false' }].filter(fits)));
        if (read.current.type === 6) return finish(shown(Object.values(world.users).map(({ id, name }) => ({ name, value: id })).filter(fits)));
        if (read.current.autocomplete) {
          let stale = false;
          const timer = setTimeout(() => {
            post('/autocomplete', { user_id: me, channel_id: channel.id, command: draft.trimEnd().endsWith(':') ? draft.trimEnd() : draft })
              .then(({ choices }) => !stale && finish(shown(choices)))
              .catch(() => !stale && finish([{ label: 'Loading options failed', hint: 'the bot did not answer in time', text: null }]));
          }, 120);
          return () => {
            stale = true;
            clearTimeout(timer);
          };
        }
      }
      const open = read.command.options.filter(({ name }) => !(name in read.values));
      if (!read.current || read.values[read.current.name]) {
        return finish(
          open.map((option) => ({
            label: `${option.name}:`,
            hint: `${option.description} (${KINDS[option.type] ?? 'value'}${option.required ? ', required' : ''})`,
            text: `${draft.trimEnd()} ${option.name}:`,
          })),
        );
      }
      return finish([]);
    }
    const mention = /(?:^|\s)@(\w*)$/.exec(draft);
    if (mention) {
      const wanted = mention[1].toLowerCase();
      return finish(
        Object.values(world.users)
          .filter(({ name }) => name.toLowerCase().startsWith(wanted))
          .map(({ id, name, bot }) => ({ label: `@${name}`, hint: bot ? 'app' : 'member', text: draft.replace(/@\w*$/, `<@${id}> `) })),
      );
    }
    return finish([]);
  }, [draft, channel.id]);
  useEffect(() => setClosed(false), [draft]);

  const open = offers.length > 0 && !closed;
  const take = (offer) => {
    if (offer.text === null) return;
    setDraft(offer.text);
    area.current.focus();
  };
  const submit = async () => {
    const text = draft.trim();
    if (!text && !files.length) return;
    setDraft('');
    const sent = files;
    setFiles([]);
    if (text.startsWith('/')) {
      await app.attempt(post('/slash', { user_id: me, channel_id: channel.id, command: text }), () => setDraft(draft));
      return;
    }
    const body = { user_id: me, channel_id: channel.id, content: text };
    if (replyTo) body.reply_to = replyTo;
    if (sent.length) body.files = await Promise.all(sent.map(packed));
    await app.attempt(post('/messages', body), () => setDraft(draft));
    app.reply(null);
  };
  const key = (event) => {
    if (open && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
      event.preventDefault();
      setAt((at + (event.key === 'ArrowDown' ? 1 : offers.length - 1)) % offers.length);
    } else if (open && (event.key === 'Tab' || (event.key === 'Enter' && !(read?.command && !needed(read) && !read.tail)))) {
      event.preventDefault();
      take(offers[at]);
    } else if (event.key === 'Escape') {
      if (open) setClosed(true);
      else app.reply(null);
    } else if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      submit();
    }
  };
  const replied = replyTo && app.message(replyTo);
  return html`<div class="composer">
    ${open &&
    html`<ul class="offers" id="offers" role="listbox" tabindex="0" aria-label="Suggestions">
      ${offers.map(
        (offer, index) => html`<li
          id=${`offer${index}`}
          role="option"
          aria-selected=${index === at}
          onMouseDown=${(event) => {
            event.preventDefault();
            take(offer);
          }}
          ref=${(item) => index === at && item?.scrollIntoView({ block: 'nearest' })}
        >
          <b>${offer.label}</b> <span class="dim">${offer.hint}</span>
        </li>`,
      )}
    </ul>`}
    <p class="heard" role="status">${open && `${offers.length} ${offers.length > 1 ? 'suggestions' : 'suggestion'}`}</p>
    ${read?.command &&
    html`<p class="hint">
      <b>/${read.command.name}</b> ${read.command.description}
      ${read.command.options.map(
        (option) => html` <span class=${option.name in read.values ? 'given' : option.required ? 'wanted' : ''}>
          ${option.required ? option.name : `[${option.name}]`}
        </span>`,
      )}
    </p>`}
    ${replied &&
    html`<p class="hint">
      Replying to <b>${world.users[replied.author]?.name}</b>
      <button class="plain" aria-label="Do not reply" onClick=${() => app.reply(null)}>✕</button>
    </p>`}
    ${files.length > 0 &&
    html`<p class="hint">
      ${files.map((file) => html`<span class="given">${file.name}</span> `)}
      <button class="plain" aria-label="Attach nothing" onClick=${() => setFiles([])}>✕</button>
    </p>`}
    <div class="line">
      <button class="attach" title="Attach files" aria-label="Attach files" onClick=${() => picker.current.click()}><span aria-hidden="true">+</span></button>
      <input ref=${picker} type="file" multiple hidden onChange=${(event) => setFiles([...event.target.files])} />
      <textarea
        ref=${area}
        id="composer"
        rows="1"
        maxlength="4000"
        aria-label=${`Message ${channel.label}`}
        aria-haspopup="listbox"
        aria-controls=${open ? 'offers' : undefined}
        aria-autocomplete="list"
        aria-activedescendant=${open ? `offer${at}` : undefined}
        placeholder=${channel.direct ? `Message ${channel.label}` : `Message ${channel.label}: mention @Cortana, or type / for commands`}
        value=${draft}
        onInput=${(event) => setDraft(event.target.value)}
        onKeyDown=${key}
        onPaste=${(event) => event.clipboardData.files.length && setFiles([...event.clipboardData.files])}
      ></textarea>
      <button class="button primary" onClick=${submit}>Send</button>
    </div>
  </div>`;
}

/** Whether something that is required has no value yet. */
function needed(read) {
  return read.command.options.some((option) => option.required && !read.values[option.name]);
}
