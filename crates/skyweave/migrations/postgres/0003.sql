-- Users, passwords, tokens and sign-ins become kinds of `thing`. No table changes; the version does, so that a program that
-- does not know them refuses the database as newer instead of calling it damaged. Records that version 2 meant for them were
-- never written by any program; should there be some, they give nobody access.
DELETE FROM record WHERE kind IN ('user', 'token', 'sign_in');
