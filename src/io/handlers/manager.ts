/** What is done with saved models as a whole: list, copy, move, remove. */
import { fail } from '../../base/errors.ts';
import { handlerFor, placeOf, stores } from './router.ts';
import type { ModelArtifactsInfo } from './types.ts';

/** The models in the browser's places, by URL, with their sizes and dates. Source: tf.io.listModels. */
export async function listModels(): Promise<{ [url: string]: ModelArtifactsInfo }> {
  const found: { [url: string]: ModelArtifactsInfo } = {};
  for (const [scheme, store] of Object.entries(stores)) {
    const { list, available } = store();
    if (!list || !available()) continue;
    for (const [name, info] of Object.entries(await list())) found[scheme + name] = info;
  }
  return found;
}

/**
 * Removes a model: `file://folder`, `localstorage://name` or `indexeddb://name`. In a folder that is model.json and the weights
 * it refers to; other files stay. Gives what was known of it. Source: tf.io.removeModel.
 */
export async function removeModel(url: string): Promise<ModelArtifactsInfo> {
  const op = 'removeModel';
  const place = placeOf(url);
  if (!place) {
    const schemes = Object.keys(stores).join(', ');
    fail(op, `the URL must begin with one of ${schemes} and name a model`, `got ${JSON.stringify(url)}`);
  }
  const info = await place.store.remove(place.name);
  return info ?? fail(op, 'the model must be there', `there is none at ${url}`, 'tf.io.listModels() lists them');
}

async function copy(op: string, sourceURL: string, destURL: string): Promise<ModelArtifactsInfo> {
  if (sourceURL === destURL) fail(op, 'source and destination must differ', `both are ${sourceURL}`);
  const from = handlerFor(op, 'load', sourceURL);
  const to = handlerFor(op, 'save', destURL);
  return (await to.save!(await from.load!())).modelArtifactsInfo;
}

/** Copies a model from any place that loads to any that saves, such as https:// to indexeddb://. Source: tf.io.copyModel. */
export function copyModel(sourceURL: string, destURL: string): Promise<ModelArtifactsInfo> {
  return copy('copyModel', sourceURL, destURL);
}

/** Copies a model and then removes the original. Source: tf.io.moveModel. */
export async function moveModel(sourceURL: string, destURL: string): Promise<ModelArtifactsInfo> {
  const op = 'moveModel';
  if (!placeOf(sourceURL)) {
    fail(op, 'the source must be a place whose models can be removed', `got ${sourceURL}`, 'use copyModel');
  }
  const info = await copy(op, sourceURL, destURL);
  await removeModel(sourceURL);
  return info;
}
