// What the page asks of the sandbox. Everything arrives by push; requests only act.

/** Sends JSON. @returns {Promise<any>} the answer; throws an Error with the sandbox's sentence. */
async function ask(method, address, body) {
  const response = await fetch(address, {
    method,
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body ?? {}),
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `The sandbox answered ${response.status}.`);
  return answer;
}

/** Asks the control API. */
export const send = (method, path, body) => ask(method, `/control${path}`, body);

export const post = (path, body) => send('POST', path, body);

/** What only the page does: `direct` and `fault`. */
export const own = (what, body) => ask('POST', `/page/${what}`, body);

/** A file as the control API takes it. */
export async function packed(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let binary = '';
  for (let at = 0; at < bytes.length; at += 0x8000) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return { filename: file.name, content_type: file.type || 'application/octet-stream', base64: btoa(binary) };
}

/** Listens as one person; `on(kind, data)` for each event, `state(connected)` when the line comes or goes. */
export function listen(user, on, state) {
  const source = new EventSource(`/page/events${user ? `?user_id=${user}` : ''}`);
  for (const kind of ['hello', 'world', 'message', 'typing', 'interaction', 'pool', 'note', 'faults']) {
    source.addEventListener(kind, (event) => on(kind, JSON.parse(event.data)));
  }
  source.onopen = () => state(true);
  source.onerror = () => state(false);
  return () => source.close();
}
