/** Which handler serves a URL: the table of schemes, which users can add to. */
import { fail } from '../../base/errors.ts';
import { fileSystem, isFileScheme } from './file.ts';
import { http, isHTTPScheme, type LoadOptions } from './http.ts';
import type { IOHandler } from './types.ts';

/** Gives a handler for a URL, or null where it does not serve it. */
export type IORouter = (url: string | string[], loadOptions?: LoadOptions) => IOHandler | null;

const single = (url: string | string[]): string => (Array.isArray(url) ? url[0] : url);
const fileRouter: IORouter = (url) => (isFileScheme(single(url)) ? fileSystem(single(url)) : null);
const httpRouter: IORouter = (url, options) => (isHTTPScheme(single(url)) ? http(single(url), options) : null);

const saveRouters: IORouter[] = [fileRouter];
const loadRouters: IORouter[] = [fileRouter, httpRouter];

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
export function handlerFor(op: string, url: string, options?: LoadOptions): IOHandler {
  const handlers = op === 'save' ? getSaveHandlers(url) : getLoadHandlers(url, options);
  if (handlers.length === 1) return handlers[0];
  const schemes = op === 'save' ? 'file://folder' : 'file://folder/model.json or https://...';
  fail(op, 'the URL must have a scheme that one handler serves', `got ${JSON.stringify(url)}`, `use ${schemes}`);
}
