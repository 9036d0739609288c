/**
 * Splits the text of a module in two for scripts/deferred.js: what is evaluated when the module is (imports, constants,
 * classes), and its functions, which can come later. Both keep the line numbers of the source. Knows the house's formatting:
 * what begins in the first column is a declaration, and a function ends with a brace there.
 */

const declaration = /^(?:export )?(?:abstract )?(?:async )?(?:const|let|class|function\*?) (\w+)/gm;
const functionText = /^(export )?((?:async )?function (\w+)[^\n]*\n(?:(?!\}\n)[^\n]*\n)*?\}\n)/gm;
const importText = /^import (?!type)(?:([^;{]*)(?:\{([^}]*)\})? from )?('[^']+');$/gm;

/** Where the first half has a stand-in for a function. */
export const standInPlace = /\/\*stand-in (\w+)\*\//g;

/** Below this many characters a stand-in costs what it saves. */
const worthwhile = 240;

const blank = (text) => text.replace(/[^\n]/g, '');
const uses = (text, name) => new RegExp(`(?<![\\w$]|(?<!\\.\\.)\\.)${name}\\b`).test(text);

/** Imports without the names that the text does not use, and without types. */
function neededImports(source, text) {
  return source.replace(importText, (whole, plain = '', named, from) => {
    if (!plain && named === undefined) return whole;
    const kept = (named ?? '')
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item && !item.startsWith('type ') && uses(text, item.split(' as ').at(-1)));
    const whole_ = plain.trim().replace(/,$/, '');
    const other = whole_ && uses(text, whole_.replace(/^\* as /, '')) ? whole_ : '';
    const list = [other, kept.length > 0 ? `{ ${kept.join(', ')} }` : ''].filter(Boolean).join(', ');
    return (list ? `import ${list} from ${from};` : '') + blank(whole);
  });
}

/** { head, functions } without the eager ones, or null where nothing is worth moving. */
export function splitModule(file, source, eager) {
  const state = [...source.matchAll(/^(?:export )?let (\w+)/gm)].map(([, name]) => name);
  const moved = new Map();
  for (const [, isExported, text, name] of source.matchAll(functionText)) {
    const stays = eager.has(name) || /\bthis\b|\bimport\(/.test(text) || state.some((variable) => uses(text, variable));
    if (!stays) moved.set(name, { isExported: Boolean(isExported), text });
  }
  const withoutImports = source.replace(importText, blank).replace(/^import type [^;]*;/gm, blank);
  // A stand-in is needed by others and by what stays; what is too short for one stays too, until nothing changes.
  for (let before = -1; before !== moved.size; ) {
    before = moved.size;
    const rest = withoutImports.replace(functionText, (whole, _, __, name) => (moved.has(name) ? blank(whole) : whole));
    for (const [name, { isExported, text }] of moved) {
      const needed = isExported || uses(rest, name);
      if (needed && text.length < worthwhile) moved.delete(name);
      else moved.get(name).needed = needed;
    }
  }
  if ([...moved.values()].reduce((sum, { text }) => sum + text.length, 0) < 2 * worthwhile) return null;

  const head = withoutImports.replace(functionText, (whole, isExported, _, name) => {
    if (!moved.has(name)) return whole;
    const { needed } = moved.get(name);
    return (needed ? `/*stand-in ${name}*/${isExported ? ` export { ${name} };` : ''}` : '') + blank(whole);
  });
  const names = [...head.matchAll(declaration)].map(([, name]) => name);
  let at = 0;
  const functions = [...source.matchAll(functionText)]
    .map((match) => {
      const between = blank(source.slice(at, match.index));
      at = match.index + match[0].length;
      return between + (moved.has(match[3]) ? `export ${match[2]}` : blank(match[0]));
    })
    .join('');
  const shared = names.filter((name) => !moved.has(name) && uses(functions, name));
  const isExported = (name) =>
    new RegExp(
      `^export (?:(?:abstract |async )*(?:const|let|class|function\\*?) ${name}\\b|\\{[^}]*\\b${name}\\b)`,
      'm',
    ).test(head);
  const hidden = shared.filter((name) => !isExported(name));
  const imports = (text) =>
    [...neededImports(source, text).matchAll(/^import (?!type)[^\n]*;/gm)].map(([line]) => line).join(' ');
  const fromHead = shared.length > 0 ? `import { ${shared.join(', ')} } from ${JSON.stringify(file)};` : '';
  return {
    head: `${imports(head)} ${head}\nexport { ${hidden.join(', ')} };`,
    functions: `${imports(functions)} ${fromHead} ${functions}`,
  };
}
