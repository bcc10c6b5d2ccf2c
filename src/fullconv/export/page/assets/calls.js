// @ts-check
// Calls of functions in a worker.

import { Refused } from "./photos.js";

/** A worker whose functions the page calls. */
export class Remote {
  /** @param {BlobPart[]} parts of its script */
  constructor(parts) {
    /** @type {Map<number, {resolve: Function, reject: Function}>} */
    this.waiting = new Map();
    this.count = 0;
    this.stopped = false;
    const url = URL.createObjectURL(new Blob(parts, { type: "text/javascript" }));
    this.worker = new Worker(url);
    this.worker.onmessage = ({ data: { id, result, text, refused, values } }) => {
      const call = this.waiting.get(id);
      this.waiting.delete(id);
      if (result !== undefined) call?.resolve(result);
      else call?.reject(refused ? new Refused(text, ...values) : new Error(text));
    };
    this.worker.onerror = (event) => this.stop(event.message);
  }

  /** @param {string} action @param {any[]} given @param {Transferable[]} moved */
  call(action, given, moved = []) {
    const id = ++this.count;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, action, given }, moved);
    });
  }

  /** End the worker. @param {string} why */
  stop(why) {
    this.stopped = true;
    this.worker.terminate();
    for (const { reject } of this.waiting.values()) reject(new Error(why));
    this.waiting.clear();
  }
}

/** In a worker: serve calls of these functions. @param {Record<string, Function>} actions */
export function serve(actions) {
  self.onmessage = async ({ data: { id, action, given } }) => {
    const send = /** @type {any} */ (self).postMessage;
    try {
      const result = (await actions[action](...given)) ?? null;
      const isView = ArrayBuffer.isView(result);
      const parts = isView ? [result] : typeof result === "object" ? Object.values(result ?? {}) : [];
      const buffers = parts.filter(ArrayBuffer.isView).map((view) => view.buffer);
      send({ id, result }, [...new Set(buffers)]);
    } catch (error) {
      const refused = error instanceof Refused;
      const text = error instanceof Error ? error.message : String(error);
      send({ id, refused, text, values: refused ? error.values : [] });
    }
  };
}
