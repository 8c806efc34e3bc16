# name: setup_color
# result: none
create scalar type Color extending enum<Red, Green, Blue>
