// The pool beside the chat: each credential as it is now, what happened, and switches that break things.

import { html, useEffect, useState } from '/assets/vendor/preact-htm.js';
import { own } from '/assets/api.js';

export const STATES = {
  ready: ['✅', 'Valid'],
  early: ['⚠️', 'Expiring'],
  refreshing: ['🔄', 'Refreshing'],
  expired: ['❌', 'Expired'],
  cooling: ['⏸️', 'Cooling down'],
  needs_login: ['🔑', 'Needs login'],
  refused: ['🚫', 'Refused by the service'],
  disabled: ['⛔', 'Disabled'],
  unusable: ['📄', 'Unusable'],
};

/** `1:02:03` left, or how long ago. */
function span(until, now) {
  const seconds = Math.round((Date.parse(until) - now) / 1000);
  const away = Math.abs(seconds);
  const parts = [Math.floor(away / 3600), Math.floor((away % 3600) / 60), away % 60].map((part) => String(part).padStart(2, '0'));
  return seconds < 0 ? `${parts.join(':')} ago` : parts.join(':');
}

function useNow() {
  const [now, set] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => set(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

/** What can be broken about a credential; `login`: only where there is a token to break. */
const FAULTS = [
  ['throttle', 'Throttle', 'Answer 429 to this account until it is cleared'],
  ['fail', 'Fail', 'Answer 503 to this account until it is cleared'],
  ['cut', 'Cut the stream', 'Break the next answer in the middle'],
  ['expire', 'Expire now', 'The access token stops working at once', 'login'],
  ['revoke', 'Revoke refresh token', 'The next refresh is refused: it needs a new login', 'login'],
];

function Credential({ view, account, faults, app, now }) {
  // A credential that rests for a model only is as good as ever to the pool; somebody who looks wants to see it rest.
  const resting = view.cooling_models.map(({ model }) => model);
  const state = resting.length && ['ready', 'early'].includes(view.state) ? 'cooling' : view.state;
  const [sign, label] = STATES[state] ?? ['❔', state];
  const word = state === view.state ? label : `${label} for ${resting.join(', ')}`;
  const active = faults.filter((fault) => fault.provider === view.provider && (!fault.account || fault.account === account));
  const play = (what) => app.attempt(own('fault', { provider: view.provider, account, what }));
  const row = (name, value) => value && html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
  return html`<li class="credential" data-state=${state}>
    <header><b>${view.provider ?? 'unknown'}</b> <span class="dim">${view.account}</span></header>
    <p class="state"><span aria-hidden="true">${sign}</span> ${word}${view.unsaved && ' · 💾 Cannot save'}</p>
    ${view.reason && html`<p class="reason">${view.reason}</p>`}
    <dl>
      ${row('Expires', view.expires_at ? html`<span class="clock">${span(view.expires_at, now)}</span>` : 'never')}
      ${row('In flight', view.in_flight > 0 && html`<span class="meter">${'●'.repeat(Math.min(view.in_flight, 12))}</span> ${view.in_flight}`)}
      ${row('Requests', String(view.requests))}
      ${row('Rests until', view.cooling_until && html`<span class="clock">${span(view.cooling_until, now)}</span>`)}
      ${view.cooling_models.map((model) => row(model.model, html`rests <span class="clock">${span(model.until, now)}</span>, ${model.reason}`))}
      ${row('Last refresh', view.last_refresh && `${view.last_refresh.failure ?? 'succeeded'}, ${span(view.last_refresh.at, now)}`)}
    </dl>
    ${account !== undefined &&
    html`<details>
      <summary>Break something${active.length > 0 ? ` (${active.length} on)` : ''}</summary>
      <div class="row">
        ${FAULTS.filter(([, , , only]) => !only || view.dialect !== 'api_key').map(
          ([what, label, hint]) => html`<button
            class="button secondary"
            title=${hint}
            aria-pressed=${active.some((fault) => fault.what === what)}
            onClick=${() => play(what)}
          >
            ${label}
          </button>`,
        )}
        ${active.length > 0 && html`<button class="button primary" onClick=${() => play('clear')}>Clear</button>`}
      </div>
    </details>`}
  </li>`;
}

export function Pool({ app, pool, faults, notes }) {
  const now = useNow();
  const usable = pool.credentials.filter(({ state }) => ['ready', 'early', 'refreshing'].includes(state)).length;
  return html`<aside class="pool" aria-label="Credential pool">
    <header class="bar">
      <h2>Pool</h2>
      <span class="dim">${usable} of ${pool.credentials.length} usable</span>
      <button class="plain close" aria-label="Close the pool" onClick=${() => app.show('chat')}><span aria-hidden="true">✕</span></button>
    </header>
    ${pool.credentials.length === 0 && html`<p class="empty">The bot has not shown its pool yet.</p>`}
    <ul class="credentials">
      ${pool.credentials.map(
        (view) => html`<${Credential} key=${view.id} view=${view} account=${pool.accounts?.[view.id]} faults=${faults} app=${app} now=${now} />`,
      )}
    </ul>
    <section class="events">
      <h3>What happened</h3>
      <div role="log" aria-label="What happened" aria-live="polite"><ol>
        ${notes.map(
          (note) => html`<li key=${note.at + note.text}>
            <time class="dim">${new Date(note.at).toLocaleTimeString()}</time> ${note.text}
          </li>`,
        )}
      </ol></div>
    </section>
  </aside>`;
}
