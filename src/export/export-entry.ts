/** Module that a thread with a lane of an export runs. */
export const EXPORT_ENTRY = new URL('./export-thread-entry.js', import.meta.url);
