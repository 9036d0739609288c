/** The package's version; a test holds it to package.json. */
export const version = { tensorloom: '0.1.0' } as const;
