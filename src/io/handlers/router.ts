/** Which handler serves a URL: the table of schemes, which users can add to. */
import { fail } from '../../base/errors.ts';
import { browserDownloads } from './browser_files.ts';
import { fileModels } from './file.ts';
import { http, isHTTPScheme, type LoadOptions } from './http.ts';
import { indexedDBModels } from './indexed_db.ts';
import { localStorageModels } from './local_storage.ts';
import type { IOHandler, ModelStore } from './types.ts';

export const stores: readonly ModelStore[] = [fileModels, localStorageModels, indexedDBModels];

/** Gives a handler for a URL, or null where it does not serve it. */
export type IORouter = (url: string | string[], loadOptions?: LoadOptions) => IOHandler | null;

const single = (url: string | string[]): string => (Array.isArray(url) ? url[0] : url);
/** The name of a model in a place, or null where the URL has another scheme. */
export function nameIn({ scheme }: ModelStore, url: string): string | null {
  return url.toLowerCase().startsWith(scheme) ? url.slice(scheme.length) : null;
}

const storeRouters = stores.map(
  (store): IORouter =>
    (url) => {
      const name = nameIn(store, single(url));
      return name ? store.handler(name) : null;
    },
);
const httpRouter: IORouter = (url, options) => (isHTTPScheme(single(url)) ? http(single(url), options) : null);
const downloads = 'downloads://';
const downloadRouter: IORouter = (url) =>
  single(url).startsWith(downloads) ? browserDownloads(single(url).slice(downloads.length)) : null;

const saveRouters: IORouter[] = [...storeRouters, httpRouter, downloadRouter];
const loadRouters: IORouter[] = [...storeRouters, httpRouter];

export function registerSaveRouter(router: IORouter): void {
  saveRouters.push(router);
}
export function registerLoadRouter(router: IORouter): void {
  loadRouters.push(router);
}

function handlersFor(routers: readonly IORouter[], url: string | string[], options?: LoadOptions): IOHandler[] {
  return routers.map((router) => router(url, options)).filter((handler) => handler !== null);
}
export function getSaveHandlers(url: string | string[]): IOHandler[] {
  return handlersFor(saveRouters, url);
}
export function getLoadHandlers(url: string | string[], options?: LoadOptions): IOHandler[] {
  return handlersFor(loadRouters, url, options);
}

/** The one handler for a URL; throws where there is none. */
export function handlerFor(op: string, direction: 'save' | 'load', url: string, options?: LoadOptions): IOHandler {
  const handlers = direction === 'save' ? getSaveHandlers(url) : getLoadHandlers(url, options);
  if (handlers.length === 1) return handlers[0];
  const places = direction === 'save' ? 'file://folder' : 'file://folder/model.json';
  const schemes = `${places}, https://..., indexeddb://name or localstorage://name`;
  return fail(op, 'the URL must have a scheme that one handler serves', `got ${JSON.stringify(url)}`, `use ${schemes}`);
}
