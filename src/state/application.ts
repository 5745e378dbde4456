import type { Database } from '../sqlite/database.js';

/** `application_id` of an export's database: "CLFX". That of a load is 0. */
export const EXPORT_APPLICATION = 0x434c4658;

/** Whether a database that can be read is the state of an export, and not of a load. */
export function holdsExport(database: Database): boolean {
  return (
    (database.prepare('PRAGMA application_id').get() as { application_id: number }).application_id ===
    EXPORT_APPLICATION
  );
}
