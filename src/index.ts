/** The Node entry of tensorloom: everything that users import. */
export {};
