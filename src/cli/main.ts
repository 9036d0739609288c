#!/usr/bin/env node
/** The `tensorloom` command. */
export {};
