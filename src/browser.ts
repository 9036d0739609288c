/** The browser entry of tensorloom: the same names as in Node. */
export {};
