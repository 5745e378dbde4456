/** Module that a thread runs which reads a container whole. */
export const AUDIT_ENTRY = new URL('./audit-thread-entry.js', import.meta.url);
