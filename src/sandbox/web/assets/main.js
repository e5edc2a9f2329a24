// The page: one store that events fill, and what is drawn from it.

import { html, render, useEffect, useLayoutEffect, useReducer, useRef, useState } from '/assets/vendor/preact-htm.js';
import { listen, own, post } from '/assets/api.js';
import { Composer } from '/assets/composer.js';
import { day } from '/assets/markdown.js';
import { Message } from '/assets/message.js';
import { Pool } from '/assets/pool.js';

const EMPTY = {
  connected: false,
  ready: false,
  world: { users: {}, channels: {}, roles: {}, commands: [] },
  messages: new Map(),
  typing: [],
  pool: { credentials: [] },
  faults: [],
  notes: [],
  modal: null,
};
const NOTES = 100;

/** One event into the store. Messages keep their order: ids grow with time. */
function fold(state, [kind, data]) {
  switch (kind) {
    case 'line':
      return { ...state, connected: data };
    case 'reset':
      return { ...EMPTY, pool: state.pool, notes: state.notes };
    case 'hello':
      return { ...state, ready: true, me: data.me, bot: data.bot, world: data.world, messages: new Map(), version: data.version };
    case 'world':
      return { ...state, world: data };
    case 'message': {
      const messages = new Map(state.messages);
      for (const message of Array.isArray(data) ? data : [data]) {
        if (message.deleted) messages.delete(message.id);
        else messages.set(message.id, message);
      }
      return { ...state, messages };
    }
    case 'dismiss': {
      const messages = new Map(state.messages);
      messages.delete(data);
      return { ...state, messages };
    }
    case 'interaction':
      return data.modal ? { ...state, modal: data } : { ...state, failed: data.failed ? data : null };
    case 'modal':
      return { ...state, modal: null };
    case 'note':
      return { ...state, notes: [data, ...state.notes].slice(0, NOTES) };
    default:
      return { ...state, [kind]: data };
  }
}

const byId = (one, other) => one.id.length - other.id.length || (one.id < other.id ? -1 : 1);

function Modal({ app, modal }) {
  const dialog = useRef(null);
  useEffect(() => {
    const shown = dialog.current;
    shown.showModal();
    return () => {
      // While it is open nothing else can have the focus; closed, it gives it back to what opened it.
      shown.close();
      if (document.activeElement === document.body) document.getElementById('composer')?.focus();
    };
  }, []);
  const inputs = modal.modal.components.flatMap((row) => row.components ?? [row.component]);
  const submit = (event) => {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(event.target));
    app.attempt(post('/modal', { user_id: app.me, interaction_id: modal.id, values }));
    app.closeModal();
  };
  return html`<dialog ref=${dialog} aria-label=${modal.modal.title} onCancel=${app.closeModal}>
    <form onSubmit=${submit}>
      <h2>${modal.modal.title}</h2>
      ${inputs.map(
        (input) => html`<label>
          ${input.label}${input.required !== false && ' *'}
          ${input.style === 2
            ? html`<textarea
                name=${input.custom_id}
                rows="5"
                required=${input.required !== false}
                minlength=${input.min_length}
                maxlength=${input.max_length ?? 4000}
                placeholder=${input.placeholder}
              >${input.value ?? ''}</textarea>`
            : html`<input
                name=${input.custom_id}
                required=${input.required !== false}
                minlength=${input.min_length}
                maxlength=${input.max_length ?? 4000}
                placeholder=${input.placeholder}
                value=${input.value ?? ''}
              />`}
        </label>`,
      )}
      <div class="row">
        <button class="button primary">Submit</button>
        <button type="button" class="button secondary" onClick=${app.closeModal}>Cancel</button>
      </div>
    </form>
  </dialog>`;
}

function Sidebar({ app, channel }) {
  const { world, me } = app;
  const all = Object.values(world.channels).sort(byId);
  const entry = (place) => html`<li>
    <button
      class=${place.kind === 'thread' ? 'place inner' : 'place'}
      aria-current=${place.id === channel?.id ? 'page' : undefined}
      onClick=${() => app.go(place.id)}
    >
      <span aria-hidden="true">${place.direct ? '@' : place.kind === 'thread' ? '⌥' : '#'}</span> ${place.name}
    </button>
  </li>`;
  const threads = (parent) => all.filter((place) => place.parent === parent).map(entry);
  return html`<nav class="sidebar" aria-label="Channels">
    <header class="bar"><h2>${world.guild ?? 'Sandbox'}</h2></header>
    <div class="scroll">
      <h3>Text channels</h3>
      <ul>
        ${all.filter((place) => place.kind === 'text').map((place) => [entry(place), ...threads(place.id)])}
      </ul>
      <h3>Direct messages</h3>
      <ul>
        ${all.filter((place) => place.direct).map(entry)}
        ${!all.some((place) => place.direct) &&
        html`<li><button class="place" onClick=${app.openDirect}><span aria-hidden="true">@</span> Cortana</button></li>`}
      </ul>
    </div>
    <footer>
      <label>
        You are
        <select value=${me} onChange=${(event) => app.become(event.target.value)}>
          ${Object.values(world.users)
            .filter((user) => !user.bot)
            .map((user) => html`<option value=${user.id} selected=${user.id === me}>${user.name}${user.owner ? ' (operator)' : ''}</option>`)}
        </select>
      </label>
    </footer>
  </nav>`;
}

function History({ app, list, channel }) {
  const end = useRef(null);
  const box = useRef(null);
  const atEnd = useRef(true);
  // New text keeps the end in sight, unless somebody reads further up.
  useLayoutEffect(() => {
    if (atEnd.current) end.current?.scrollIntoView({ block: 'end' });
  });
  useEffect(() => {
    atEnd.current = true;
  }, [channel.id]);
  const scrolled = () => {
    const { scrollHeight, scrollTop, clientHeight } = box.current;
    atEnd.current = scrollHeight - scrollTop - clientHeight < 60;
  };
  let before = null;
  return html`<div class="history" ref=${box} onScroll=${scrolled}>
    <div role="log" aria-label=${`Messages in ${channel.label}`} aria-live="off">
      <div class="welcome">
        <h2>${channel.direct ? channel.label : `Welcome to ${channel.label}`}</h2>
        <p>${channel.topic ?? 'Mention @Cortana to chat, or type / for commands. Nothing here leaves this machine.'}</p>
      </div>
      ${list.map((message) => {
        const date = day(new Date(message.created));
        const newDay = before && day(new Date(before.created)) !== date;
        const fresh =
          !before ||
          newDay ||
          before.author !== message.author ||
          message.reply_to ||
          message.command ||
          message.ephemeral !== before.ephemeral ||
          message.created - before.created > 420_000;
        before = message;
        return html`${newDay && html`<div class="day" role="separator">${date}</div>`}
          <${Message} key=${message.id} message=${message} fresh=${fresh} app=${app} />`;
      })}
    </div>
    <div ref=${end}></div>
  </div>`;
}

/** Says an answer to a screen reader once, when it has stopped growing. */
function Heard({ message, bot }) {
  const [said, say] = useState('');
  const text = message && message.author === bot && !message.loading ? message.content : '';
  useEffect(() => {
    const timer = setTimeout(() => say(text), 1500);
    return () => clearTimeout(timer);
  }, [text]);
  return html`<p class="heard" aria-live="polite">${said}</p>`;
}

/** On a small screen a panel hides the one before: the focus goes along. */
function focusInto(panel) {
  const places = { pool: '.pool .close', channels: '.sidebar [aria-current]', chat: '#composer' };
  const place = document.querySelector(places[panel]);
  if (place?.checkVisibility()) place.focus();
}

function App() {
  const [state, dispatch] = useReducer(fold, EMPTY);
  const [user, setUser] = useState(sessionStorage.getItem('user'));
  const [place, setPlace] = useState(location.hash.slice(1) || null);
  const [draft, setDraft] = useState('');
  const [replyTo, setReply] = useState(null);
  const [panel, setPanel] = useState('chat');
  const [error, setError] = useState(null);

  useEffect(() => {
    dispatch(['reset']);
    return listen(user, (kind, data) => dispatch([kind, data]), (up) => dispatch(['line', up]));
  }, [user]);
  useEffect(() => {
    if (!error) return undefined;
    const timer = setTimeout(() => setError(null), 8000);
    return () => clearTimeout(timer);
  }, [error]);

  const first = useRef(true);
  useEffect(() => {
    if (!first.current) focusInto(panel);
    first.current = false;
  }, [panel]);

  if (!state.ready) return html`<p class="starting" role="status">Waiting for the sandbox …</p>`;
  const { world } = state;
  const found = world.channels[place] ?? Object.values(world.channels).sort(byId)[0];
  const channel = found && { ...found, label: found.direct ? `@${found.name}` : `#${found.name}` };
  const app = {
    me: state.me,
    bot: state.bot,
    world,
    names: {
      user: (id) => world.users[id]?.name ?? 'unknown-user',
      role: (id) => world.roles[id]?.name ?? 'unknown-role',
      channel: (id) => world.channels[id]?.name ?? 'unknown-channel',
    },
    message: (id) => state.messages.get(id),
    attempt: (promise, undo) =>
      promise.catch((problem) => {
        setError(problem.message);
        undo?.();
      }),
    go: (id) => {
      setPlace(id);
      setReply(null);
      setPanel('chat');
      history.replaceState(null, '', `#${id}`);
    },
    become: (id) => {
      sessionStorage.setItem('user', id);
      setUser(id);
    },
    openDirect: () => app.attempt(own('direct', { user_id: state.me }).then(({ id }) => app.go(id))),
    openThread: (message) =>
      app.attempt(
        post('/threads', { user_id: state.me, message_id: message.id, name: message.content.slice(0, 60) || 'Thread' }).then(({ id }) => app.go(id)),
      ),
    reply: setReply,
    type: (name) => {
      setDraft(`/${name} `);
      document.getElementById('composer')?.focus();
    },
    dismiss: (id) => {
      dispatch(['dismiss', id]);
      // What had the focus goes with the message.
      document.getElementById('composer')?.focus();
    },
    closeModal: () => dispatch(['modal', null]),
    show: setPanel,
  };
  const list = [...state.messages.values()].filter((message) => message.channel === channel.id).sort(byId);
  const typing = state.typing.filter((entry) => entry.channel === channel.id && entry.user !== state.me).map((entry) => app.names.user(entry.user));
  const leave = (event) => event.key === 'Escape' && panel !== 'chat' && !state.modal && setPanel('chat');
  return html`<div class="frame" data-panel=${panel} onKeyDown=${leave}>
    <a class="skip" href="#composer" onClick=${(event) => {
      event.preventDefault();
      document.getElementById('composer').focus();
    }}>To the message box</a>
    <${Sidebar} app=${app} channel=${channel} />
    <main>
      <header class="bar">
        <button class="plain menu" aria-label="Channels" aria-expanded=${panel === 'channels'} onClick=${() => setPanel(panel === 'channels' ? 'chat' : 'channels')}><span aria-hidden="true">☰</span></button>
        <h1>${channel.label}</h1>
        <span class="dim topic">${channel.topic}</span>
        <span class="line-state" role="status">${state.connected ? '' : 'Reconnecting …'}</span>
        <button class="plain" aria-pressed=${panel === 'pool'} onClick=${() => setPanel(panel === 'pool' ? 'chat' : 'pool')}>Pool</button>
      </header>
      <${History} app=${app} list=${list} channel=${channel} />
      <div class="under">
        ${error && html`<p class="error" role="alert">${error} <button class="plain" aria-label="Close" onClick=${() => setError(null)}>✕</button></p>`}
        ${state.failed && state.failed.channel === channel.id &&
        html`<p class="error" role="alert">The application did not respond (${state.failed.name}).</p>`}
        <p class="typing" aria-live="polite">${typing.length > 0 && `${typing.join(', ')} ${typing.length > 1 ? 'are' : 'is'} typing …`}</p>
        <${Composer} app=${app} channel=${channel} replyTo=${replyTo} draft=${draft} setDraft=${setDraft} />
      </div>
      <${Heard} message=${list.at(-1)} bot=${state.bot} />
    </main>
    <${Pool} app=${app} pool=${state.pool} faults=${state.faults} notes=${state.notes} />
    ${state.modal && html`<${Modal} key=${state.modal.id} app=${app} modal=${state.modal} />`}
  </div>`;
}

render(html`<${App} />`, document.getElementById('app'));
