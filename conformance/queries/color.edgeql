# name: color
# result: one enum<Red, Green, Blue>
select Color.Green
