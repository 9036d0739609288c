/** Where downloaded datasets live: TENSORLOOM_CACHE, else XDG_CACHE_HOME/tensorloom, else ~/.cache/tensorloom. Node only. */
import { homedir } from 'node:os';
import path from 'node:path';

/** The folder that `tensorloom download <dataset>` fills and `loadData()` looks into. */
export function cacheFolder(dataset: string): string {
  const { TENSORLOOM_CACHE: ours, XDG_CACHE_HOME: xdg } = process.env;
  return path.join(ours || path.join(xdg || path.join(homedir(), '.cache'), 'tensorloom'), dataset);
}
