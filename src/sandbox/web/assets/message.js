// One message as a reader sees it, with everything that can be done to it.

import { html, useEffect, useRef, useState } from '/assets/vendor/preact-htm.js';
import { Markdown, plain, Timestamp } from '/assets/markdown.js';
import { post, send } from '/assets/api.js';

const STYLES = { 1: 'primary', 2: 'secondary', 3: 'success', 4: 'danger', 5: 'link' };
const QUICK = ['👍', '❤️', '😂', '🎉'];
const SAFE_LINK = /^https?:\/\//i;

const emoji = (part) => (part?.name ? `${part.name} ` : '');

function Button({ part, act }) {
  const label = `${emoji(part.emoji)}${part.label ?? ''}`.trim();
  if (part.style === 5) {
    const safe = SAFE_LINK.test(part.url ?? '');
    return html`<a class="button link" href=${safe ? part.url : undefined} rel="noopener noreferrer" target="_blank">${label} ↗</a>`;
  }
  return html`<button class=${`button ${STYLES[part.style] ?? 'secondary'}`} disabled=${part.disabled} onClick=${() => act(part)}>
    ${label}
  </button>`;
}

function Select({ part, act, people }) {
  const options =
    part.type === 3
      ? part.options
      : people.map((user) => ({ value: user.id, label: user.name }));
  const chosen = options.filter((option) => option.default).map((option) => option.value);
  const many = (part.max_values ?? 1) > 1;
  const list = useRef(null);
  const take = () => {
    const values = [...list.current.selectedOptions].map((option) => option.value).filter(Boolean);
    if (values.length >= (part.min_values ?? 1)) act(part, values);
  };
  // A closed menu would choose with each arrow key: it opens instead, and Enter chooses.
  const open = (event) => {
    if (many || !list.current.showPicker || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!['ArrowDown', 'ArrowUp', 'Home', 'End', 'PageDown', 'PageUp'].includes(event.key) && event.key.length > 1) return;
    event.preventDefault();
    list.current.showPicker();
  };
  return html`<select
    ref=${list}
    onKeyDown=${open}
    class="select"
    aria-label=${part.placeholder ?? 'Choose'}
    disabled=${part.disabled}
    multiple=${many}
    value=${many ? undefined : (chosen[0] ?? '')}
    onChange=${many ? undefined : take}
  >
    ${!many && html`<option value="">${part.placeholder ?? 'Make a selection'}</option>`}
    ${options.map(
      (option) => html`<option value=${option.value} selected=${chosen.includes(option.value)}>
        ${emoji(option.emoji)}${option.label}${option.description ? `: ${option.description}` : ''}
      </option>`,
    )}
  </select>
  ${many && html`<button class="button secondary" disabled=${part.disabled} onClick=${take}>Choose</button>`}`;
}

function Embed({ embed, names, command }) {
  const colour = embed.color == null ? undefined : `#${embed.color.toString(16).padStart(6, '0')}`;
  const say = (text) => html`<${Markdown} text=${text} names=${names} command=${command} />`;
  return html`<section class="embed" style=${colour ? `--edge:${colour}` : ''} aria-label=${embed.title ?? 'Embed'}>
    ${embed.author?.name && html`<div class="embed-author">${embed.author.name}</div>`}
    ${embed.title && html`<div class="embed-title">${say(embed.title)}</div>`}
    ${embed.description && say(embed.description)}
    ${embed.fields?.length > 0 &&
    html`<dl class="fields">
      ${embed.fields.map(
        (field) => html`<div class=${field.inline ? 'field inline' : 'field'}>
          <dt>${say(field.name)}</dt>
          <dd>${say(field.value)}</dd>
        </div>`,
      )}
    </dl>`}
    ${(embed.footer?.text || embed.timestamp) &&
    html`<footer>
      ${embed.footer?.text}${embed.timestamp && html` · <${Timestamp} unix=${Date.parse(embed.timestamp) / 1000} style="f" />`}
    </footer>`}
  </section>`;
}

function File({ file }) {
  const size = file.size < 1024 ? `${file.size} bytes` : `${(file.size / 1024).toFixed(1)} kB`;
  const image = /^image\/(png|jpe?g|gif|webp)$/.test(file.content_type ?? '');
  return html`<figure class="file">
    ${image && html`<img src=${file.url} alt=${file.description ?? file.filename} loading="lazy" />`}
    <figcaption><a href=${file.url} download=${file.filename}>${file.filename}</a> <span class="dim">${size}</span></figcaption>
  </figure>`;
}

/** `fresh`: whether it starts a new group, with a face and a name. */
export function Message({ message, fresh, app }) {
  const { names, me, bot, world } = app;
  const [editing, setEditing] = useState(null);
  const area = useRef(null);
  useEffect(() => area.current?.focus(), [editing === null]);
  const mine = message.author === me;
  const author = world.users[message.author] ?? { name: 'Somebody', bot: false };
  const act = (part, values) =>
    app.attempt(
      post(values ? '/select' : '/click', {
        user_id: me,
        message_id: message.id,
        custom_id: part.custom_id,
        ...(values && { values }),
      }),
    );
  const react = (name) => {
    const has = message.reactions?.some((reaction) => reaction.emoji === name && reaction.users.includes(me));
    app.attempt(send(has ? 'DELETE' : 'PUT', `/messages/${message.id}/reactions`, { user_id: me, emoji: name }));
  };
  const save = (event) => {
    event.preventDefault();
    app.attempt(send('PATCH', `/messages/${message.id}`, { content: editing }));
    leave();
  };
  // What had the focus goes with the form.
  const leave = () => {
    setEditing(null);
    document.getElementById(`m${message.id}`)?.focus();
  };
  const replied = message.reply_to && app.message(message.reply_to);
  const pinged = message.mentions?.includes(me) && !mine;
  const classes = ['message', fresh && 'fresh', message.ephemeral && 'ephemeral', pinged && 'pinged', mine && 'mine'];
  return html`<article
    class=${classes.filter(Boolean).join(' ')}
    id=${`m${message.id}`}
    tabindex="0"
    aria-label=${author.name}
  >
    ${message.command &&
    html`<div class="lead">↱ ${world.users[message.command.user]?.name ?? 'Somebody'} used <b>/${message.command.name}</b></div>`}
    ${message.reply_to &&
    html`<div class="lead">
      ↱ ${replied
        ? html`<a href=${`#m${message.reply_to}`}>${world.users[replied.author]?.name}: ${plain(replied.content, names).slice(0, 90) || 'a message'}</a>`
        : 'a deleted message'}
    </div>`}
    ${fresh &&
    html`<div class="face" aria-hidden="true" data-bot=${author.bot}>${author.name.slice(0, 1)}</div>
      <header>
        <b>${author.name}</b>${author.bot && html`<span class="tag">APP</span>`}
        <${Timestamp} unix=${message.created / 1000} style="t" />
      </header>`}
    <div class="body">
      ${editing === null
        ? message.loading
          ? html`<p class="thinking"><span class="dots" aria-hidden="true"></span>${author.name} is thinking …</p>`
          : message.opened
            ? html`<p class="dim">started the thread <b>${message.content}</b></p>`
            : message.starter
              ? html`<p class="dim">This thread started from: ${plain(app.message(message.starter)?.content ?? 'a message', names)}</p>`
              : html`<${Markdown} text=${message.content} names=${names} command=${app.type} />`
        : html`<form class="rewrite" onSubmit=${save}>
            <textarea
              aria-label="Edit the message"
              value=${editing}
              onInput=${(event) => setEditing(event.target.value)}
              onKeyDown=${(event) => {
                if (event.key === 'Escape') leave();
                if (event.key === 'Enter' && !event.shiftKey) save(event);
              }}
              ref=${area}
            ></textarea>
            <p class="dim">Enter saves, Escape leaves it as it was</p>
          </form>`}
      ${message.edited && !author.bot && html`<span class="dim edited">(edited)</span>`}
      ${message.embeds?.map((embed) => html`<${Embed} embed=${embed} names=${names} command=${app.type} />`)}
      ${message.attachments?.map((file) => html`<${File} key=${file.id} file=${file} />`)}
      ${message.components?.map(
        (row) => html`<div class="row">
          ${row.components.map((part) =>
            part.type === 2
              ? html`<${Button} part=${part} act=${act} />`
              : html`<${Select} part=${part} act=${act} people=${Object.values(world.users)} />`,
          )}
        </div>`,
      )}
      ${message.reactions?.length > 0 &&
      html`<div class="row">
        ${message.reactions.map(
          (reaction) => html`<button
            class="reaction"
            aria-pressed=${reaction.users.includes(me)}
            onClick=${() => react(reaction.emoji)}
          >
            ${reaction.emoji} ${reaction.users.length}
          </button>`,
        )}
      </div>`}
      ${message.thread &&
      html`<button class="thread" onClick=${() => app.go(message.thread)}>
        ⌥ ${world.channels[message.thread]?.name ?? 'Thread'} ›
      </button>`}
      ${message.ephemeral &&
      html`<p class="dim">
        Only you can see this · <button class="plain" onClick=${() => app.dismiss(message.id)}>Dismiss message</button>
      </p>`}
    </div>
    ${!message.ephemeral &&
    html`<div class="tools" role="group" aria-label="Message actions">
      ${QUICK.slice(0, 2).map(
        (name) => html`<button title=${`React with ${name}`} aria-label=${`React with ${name}`} onClick=${() => react(name)}>${name}</button>`,
      )}
      <button title="Reply" aria-label="Reply" onClick=${() => app.reply(message.id)}>↩</button>
      ${!mine &&
      world.commands
        .filter((command) => command.type === 3)
        .map(
          (command) => html`<button
            title=${command.name}
            onClick=${() => app.attempt(post('/context', { user_id: me, message_id: message.id, name: command.name }))}
          >
            ${command.name}
          </button>`,
        )}
      ${message.author !== bot && !message.thread && world.channels[message.channel]?.kind === 'text' &&
      html`<button title="Start a thread" aria-label="Start a thread" onClick=${() => app.openThread(message)}>⌥</button>`}
      ${mine && html`<button title="Edit" aria-label="Edit" onClick=${() => setEditing(message.content)}>✎</button>`}
      ${mine &&
      html`<button title="Delete" aria-label="Delete" onClick=${() => {
          app.attempt(send('DELETE', `/messages/${message.id}`, {}));
          document.getElementById('composer')?.focus();
        }}>✕</button>`}
    </div>`}
  </article>`;
}
