# name: int16s
# result: many int16
select {<int16>-32768, <int16>32767}
