/** Which handler serves a URL: the table of schemes, which users can add to. */
import { fail } from '../../base/errors.ts';
import { browserDownloads } from './browser_files.ts';
import { fileModels } from './file.ts';
import { http, isHTTPScheme, type LoadOptions } from './http.ts';
import { indexedDBModels } from './indexed_db.ts';
import { localStorageModels } from './local_storage.ts';
import type { IOHandler, ModelStore } from './types.ts';

/** The places by their schemes. */
export const stores: { readonly [scheme: string]: () => ModelStore } = {
  'file://': fileModels,
  'localstorage://': localStorageModels,
  'indexeddb://': indexedDBModels,
};

/** Gives a handler for a URL, or null where it does not serve it. */
export type IORouter = (url: string | string[], loadOptions?: LoadOptions) => IOHandler | null;

const single = (url: string | string[]): string => (Array.isArray(url) ? url[0] : url);

/** The place of a URL and the model's name there, or null where the scheme is another one or no name follows. */
export function placeOf(url: string): { store: ModelStore; name: string } | null {
  const scheme = Object.keys(stores).find((each) => url.toLowerCase().startsWith(each) && url.length > each.length);
  return scheme === undefined ? null : { store: stores[scheme](), name: url.slice(scheme.length) };
}

const storeRouter: IORouter = (url) => {
  const place = placeOf(single(url));
  return place ? place.store.handler(place.name) : null;
};
const httpRouter: IORouter = (url, options) => (isHTTPScheme(single(url)) ? http(single(url), options) : null);
const downloads = 'downloads://';
const downloadRouter: IORouter = (url) =>
  single(url).startsWith(downloads) ? browserDownloads(single(url).slice(downloads.length)) : null;

const saveRouters: IORouter[] = [storeRouter, httpRouter, downloadRouter];
const loadRouters: IORouter[] = [storeRouter, httpRouter];

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
