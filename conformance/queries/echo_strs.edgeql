# name: echo_strs
# args: v array<str>
# result: one array<str>
select <array<str>>$0
