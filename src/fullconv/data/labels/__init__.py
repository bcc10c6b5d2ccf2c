"""What mask values mean: classes, encodings, tables, class weights."""
