-- Pages are read whole: short enough to stay in the row, they need no decompression and no second look-up.
ALTER TABLE script_pages ALTER folded SET STORAGE MAIN;
